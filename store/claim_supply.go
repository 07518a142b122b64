package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"scrip.dev/scrip/campaign"
)

// suppliedCode is a code that the pool gives up for one claim.
type suppliedCode struct {
	batchID, pos int64
	code, set    string
	validUntil   time.Time // of an imported code; zero: no end of its own
	issuing      bool
}

// supply takes codes for the requests out of the pool, in order; fewer where it
// does not last.
func (t *claimTx) supply(ctx context.Context, requests []*claimRequest) ([]suppliedCode, error) {
	if len(requests) == 0 {
		return nil, nil
	}
	switch t.coupon.Pool {
	case campaign.PoolShared:
		return t.sharedCode(ctx, len(requests))
	case campaign.PoolList:
		return t.draw(ctx, len(requests))
	default:
		return t.makeCodes(ctx, len(requests))
	}
}

// sharedCode gives the one code to everybody, until its uses are spent.
func (t *claimTx) sharedCode(ctx context.Context, n int) ([]suppliedCode, error) {
	if t.coupon.full {
		return nil, nil
	}
	c, err := t.currentSharedCode(ctx)
	if err != nil || c == nil {
		return nil, err
	}
	codes := make([]suppliedCode, n)
	for i := range codes {
		codes[i] = *c
	}
	return codes, nil
}

// A window of positions that holds nothing but holes is doubled up to this.
const maxWindow = 1000

// draw takes the next codes of the list: those that came back first, then batch
// after batch. Each turn moves one batch's head over a window of positions; the
// row's lock, held to the end of the transaction, makes the window ours, and a
// rollback gives it back.
func (t *claimTx) draw(ctx context.Context, n int) ([]suppliedCode, error) {
	var codes []suppliedCode
	for window := n; len(codes) < n; window = min(2*window, maxWindow) {
		w, err := t.moveHead(ctx, max(window, n-len(codes)))
		if err != nil {
			return nil, err
		}
		if w == nil {
			return codes, nil
		}
		found, err := t.read(ctx, w, n-len(codes))
		if err != nil {
			return nil, err
		}
		codes = append(codes, found...)
	}
	return codes, nil
}

// drawWindow is a run of draws [from, to) of one batch.
type drawWindow struct {
	batchID, from, to, tail int64
	random                  bool
	seed                    int64
	set                     string
	validUntil              *time.Time
	ready                   map[int64]string // the codes that may be given, by position; nil where the draw is random
}

// firstBatch is the one whose codes are next.
const firstBatch = ` FROM batch WHERE coupon_id = $1 AND ($2 = '' OR child_set = $2) AND NOT closed AND head < tail
	AND (valid_until IS NULL OR valid_until > $3) ORDER BY kind = 'returned' DESC, id LIMIT 1`

// moveHead reserves the next draws of the first batch that has any; nil where
// none has. The row is locked in one statement, and moved and read behind in the
// next, in one round trip: a statement that locks a row it has waited for, and then
// changes it, looks for it by its old place, where the next in line stands already and
// waits for us. Nobody opens another batch between the two, for that takes the
// coupon's lock.
func (t *claimTx) moveHead(ctx context.Context, n int) (*drawWindow, error) {
	var w *drawWindow
	batch := &pgx.Batch{}
	batch.Queue(`SELECT id, head, least(head + $4, tail), tail, random, seed, child_set, valid_until`+firstBatch+` FOR NO KEY UPDATE`,
		t.coupon.ID, t.set, t.now, n).QueryRow(func(row pgx.Row) error {
		var found drawWindow
		err := row.Scan(&found.batchID, &found.from, &found.to, &found.tail, &found.random, &found.seed, &found.set, &found.validUntil)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		w = &found
		return err
	})
	batch.Queue(`WITH first AS MATERIALIZED (SELECT id, head, least(head + $4, tail) AS upto, random`+firstBatch+`),
			moved AS (UPDATE batch SET head = first.upto FROM first WHERE batch.id = first.id)
		SELECT c.pos, c.code FROM first JOIN code c ON c.batch_id = first.id AND c.pos >= first.head AND c.pos < first.upto
		WHERE NOT first.random AND c.state = 'ready'`, t.coupon.ID, t.set, t.now, n).Query(func(rows pgx.Rows) (err error) {
		ready, err := scanReady(rows)
		if w != nil && !w.random {
			w.ready = ready
		}
		return err
	})
	if err := t.tx.SendBatch(ctx, batch).Close(); err != nil {
		return nil, fmt.Errorf("moving the head of a batch: %w", err)
	}
	return w, nil
}

func scanReady(rows pgx.Rows) (map[int64]string, error) {
	ready := map[int64]string{}
	var pos int64
	var code string
	_, err := pgx.ForEachRow(rows, []any{&pos, &code}, func() error { ready[pos] = code; return nil })
	return ready, err
}

// positions gives where the window's draws lie in the batch: the same numbers, or
// scattered over it where the draw is random.
func (w *drawWindow) positions() []int64 {
	p := permutation{size: uint64(w.tail), seed: uint64(w.seed)} // #nosec G115 -- a tail is not negative; a seed is any 64 bits
	positions := make([]int64, 0, w.to-w.from)
	for i := w.from; i < w.to; i++ {
		if w.random {
			positions = append(positions, int64(p.at(uint64(i)))) // #nosec G115 -- below tail, which is an int64
		} else {
			positions = append(positions, i)
		}
	}
	return positions
}

// read gives the codes of a window, at most n. Positions without a code that may
// be given (withdrawn, used meanwhile) are passed over for good; what lies behind
// the n-th code is put back.
func (t *claimTx) read(ctx context.Context, w *drawWindow, n int) ([]suppliedCode, error) {
	positions := w.positions()
	byPos := w.ready
	if byPos == nil {
		rows, err := t.tx.Query(ctx, `SELECT pos, code FROM code WHERE batch_id = $1 AND pos = ANY ($2) AND state = 'ready'`, w.batchID, positions)
		if err == nil {
			byPos, err = scanReady(rows)
		}
		if err != nil {
			return nil, fmt.Errorf("reading codes: %w", err)
		}
	}
	codes, holes, passed := make([]suppliedCode, 0, n), 0, 0
	for _, pos := range positions {
		if len(codes) == n {
			break
		}
		passed++
		if code, ok := byPos[pos]; ok {
			codes = append(codes, suppliedCode{batchID: w.batchID, pos: pos, code: code, set: w.set, validUntil: orZero(w.validUntil)})
		} else {
			holes++
		}
	}
	if holes > 0 || passed < len(positions) {
		_, err := t.tx.Exec(ctx, `UPDATE batch SET head = $2, holes = greatest(holes - $3, 0) WHERE id = $1`, w.batchID, w.from+int64(passed), holes)
		if err != nil {
			return nil, fmt.Errorf("passing over holes: %w", err)
		}
	}
	return codes, nil
}
