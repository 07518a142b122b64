package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/event"
)

// currentSharedCode is the code row of a shared coupon; nil where it was
// withdrawn.
func (t *claimTx) currentSharedCode(ctx context.Context) (*suppliedCode, error) {
	var c suppliedCode
	err := t.tx.QueryRow(ctx, `SELECT c.batch_id, c.pos, c.code FROM code c JOIN batch b ON b.id = c.batch_id
		WHERE b.coupon_id = $1 AND c.realm = $2 AND c.code_norm = $3 AND c.state = 'ready'`,
		t.coupon.ID, t.coupon.Realm, event.NormaliseCode(t.coupon.Doc.Code)).Scan(&c.batchID, &c.pos, &c.code)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the shared code: %w", err)
	}
	return &c, nil
}

// redraws bounds how often codes that exist already are drawn again: a pattern
// whose space is nearly used up is as good as empty.
const redraws = 16

// makeCodes draws new codes of the coupon's pattern. A shop's code is kept as
// issuing until the shop has it, so that a crash in between leaves our own string
// to look for there.
func (t *claimTx) makeCodes(ctx context.Context, n int) ([]suppliedCode, error) {
	issuing := t.coupon.Pool == campaign.PoolShop
	state := "ready"
	if issuing {
		state = "issuing"
	}
	var made []suppliedCode
	for range redraws {
		drawn := make([]string, n-len(made))
		norms := make([]string, len(drawn))
		for i := range drawn {
			drawn[i] = randomCode(t.coupon.Doc.Pattern, t.coupon.Doc.Alphabet)
			norms[i] = event.NormaliseCode(drawn[i])
		}
		rows, err := t.tx.Query(ctx, `INSERT INTO code (batch_id, pos, realm, code, code_norm, state, in_shop)
			SELECT b.id, nextval('code_pos'), $2, d.code, d.norm, $5, $5 = 'issuing'
			FROM batch b, unnest($3::text[], $4::text[]) AS d (code, norm) WHERE b.coupon_id = $1 AND b.kind = 'made'
			ON CONFLICT (realm, code_norm) DO NOTHING RETURNING batch_id, pos, code`, t.coupon.ID, t.coupon.Realm, drawn, norms, state)
		if err != nil {
			return nil, fmt.Errorf("making codes: %w", err)
		}
		c := suppliedCode{issuing: issuing}
		if _, err := pgx.ForEachRow(rows, []any{&c.batchID, &c.pos, &c.code}, func() error { made = append(made, c); return nil }); err != nil {
			return nil, fmt.Errorf("making codes: %w", err)
		}
		if len(made) >= n {
			break
		}
	}
	return made, nil
}

// randomCode replaces each # of the pattern with a character of the alphabet, all
// equally likely and from the system's secure source.
func randomCode(pattern, alphabet string) string {
	var code strings.Builder
	for _, c := range pattern {
		if c == '#' {
			code.WriteByte(alphabet[randomBelow(len(alphabet))])
		} else {
			code.WriteRune(c)
		}
	}
	return code.String()
}

// randomBelow gives a number in [0, n), n <= 256. Bytes beyond the largest
// multiple of n are thrown away, which would make the first numbers likelier.
func randomBelow(n int) int {
	limit := 256 - 256%n
	var b [1]byte
	for {
		_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
		if int(b[0]) < limit {
			return int(b[0]) % n
		}
	}
}
