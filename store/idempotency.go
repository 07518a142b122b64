package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Idempotent is one request that carries an Idempotency-Key.
type Idempotent struct {
	APIKeyID string
	Key      string
	Route    string // method and pattern
	Body     []byte // SHA-256 of address and body
}

// Answered is what the first request of a key was answered.
type Answered struct {
	Status int
	Body   []byte
}

// Errors of Begin.
var (
	ErrIdempotencyMismatch = errors.New("the key was used for another request")
	ErrIdempotencyBusy     = errors.New("the first request of the key is under way")
)

// A request under way renews its key every RenewEvery; one that stopped doing so
// (its process died) may be done again under its key after abandonedAfter. The times
// are the processes' own, which a database whose clock is set doesn't make pass;
// starters whose clocks are further apart than the difference would take each
// other's requests for abandoned.
const (
	RenewEvery     = 5 * time.Second
	abandonedAfter = 20 * time.Second
)

// Begin claims the key for this request. A non-nil Answered is the first
// request's; the request must not be done again.
func (s *Store) Begin(ctx context.Context, i Idempotent) (*Answered, error) {
	tag, err := s.Pool.Exec(ctx, `INSERT INTO idempotency_key (api_key_id, key, route, body_sha256, at) VALUES ($1, $2, $3, $4, $6)
		ON CONFLICT (api_key_id, key) DO UPDATE SET at = excluded.at
			WHERE idempotency_key.status IS NULL AND idempotency_key.at < excluded.at - $5::interval
			AND idempotency_key.route = excluded.route AND idempotency_key.body_sha256 = excluded.body_sha256`,
		i.APIKeyID, i.Key, i.Route, i.Body, abandonedAfter, time.Now())
	if err != nil {
		return nil, fmt.Errorf("claiming an idempotency key: %w", err)
	}
	if tag.RowsAffected() == 1 {
		return nil, nil
	}
	var same bool
	var status *int
	var answer []byte
	err = s.Pool.QueryRow(ctx, `SELECT route = $3 AND body_sha256 = $4, status, answer FROM idempotency_key WHERE api_key_id = $1 AND key = $2`,
		i.APIKeyID, i.Key, i.Route, i.Body).Scan(&same, &status, &answer)
	switch {
	case errors.Is(err, pgx.ErrNoRows): // given up between the two statements
		return nil, ErrIdempotencyBusy
	case err != nil:
		return nil, fmt.Errorf("reading an idempotency key: %w", err)
	case !same:
		return nil, ErrIdempotencyMismatch
	case status == nil:
		return nil, ErrIdempotencyBusy
	}
	return &Answered{*status, answer}, nil
}

// Renew says that the request of the key is still under way.
func (s *Store) Renew(ctx context.Context, i Idempotent) error {
	if _, err := s.Pool.Exec(ctx, `UPDATE idempotency_key SET at = $3 WHERE api_key_id = $1 AND key = $2 AND status IS NULL`, i.APIKeyID, i.Key, time.Now()); err != nil {
		return fmt.Errorf("renewing an idempotency key: %w", err)
	}
	return nil
}

// Finish keeps the answer for whoever asks again; the first one stays. done is false
// where another process has finished the request meanwhile. In the transaction of
// the request's own deed it makes sure that the deed is done once, whatever dies.
func (s *Store) Finish(ctx context.Context, q Querier, i Idempotent, a Answered) (done bool, err error) {
	tag, err := q.Exec(ctx, `UPDATE idempotency_key SET status = $3, answer = $4 WHERE api_key_id = $1 AND key = $2 AND status IS NULL`,
		i.APIKeyID, i.Key, a.Status, a.Body)
	if err != nil {
		return false, fmt.Errorf("keeping an answer: %w", err)
	}
	return tag.RowsAffected() == 1, nil
}

// Abandon frees the key of a request that failed without an effect.
func (s *Store) Abandon(ctx context.Context, i Idempotent) error {
	if _, err := s.Pool.Exec(ctx, `DELETE FROM idempotency_key WHERE api_key_id = $1 AND key = $2 AND status IS NULL`, i.APIKeyID, i.Key); err != nil {
		return fmt.Errorf("freeing an idempotency key: %w", err)
	}
	return nil
}
