package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrDeposed says that another process holds the lease now. What was about to be
// written has not been.
var ErrDeposed = errors.New("the lease is held by another process")

// Lease is the right to do a job that one process at a time may do. The epoch
// grows with every change of holder, and every write of the holder checks it.
type Lease struct {
	Name   string
	Holder string
	Epoch  int64
	Until  time.Time
	Span   time.Duration // from one prolongation to its end
}

// AcquireLease takes a lease that is free or has run out, or prolongs the
// holder's own. It returns ErrDeposed while another process holds it.
//
// A change of holder locks the row against the key-share locks of CheckLease, so
// that it waits for the deposed holder's transactions; a prolongation doesn't.
func (s *Store) AcquireLease(ctx context.Context, name, holder string, span time.Duration) (Lease, error) {
	l := Lease{Name: name, Holder: holder, Span: span}
	seconds := span.Seconds()
	err := s.Pool.QueryRow(ctx, `UPDATE lease SET until = now() + make_interval(secs => $3) WHERE name = $1 AND holder = $2 AND until > now()
		RETURNING epoch, until`, name, holder, seconds).Scan(&l.Epoch, &l.Until)
	if err == nil {
		return l, nil
	}
	if !errors.Is(err, pgx.ErrNoRows) {
		return Lease{}, fmt.Errorf("prolonging the lease %s: %w", name, err)
	}
	err = s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.Exec(ctx, `SELECT `+silence("$1"), millis(span)); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `INSERT INTO lease (name, holder, epoch, until) VALUES ($1, '', 0, '-infinity') ON CONFLICT DO NOTHING`, name); err != nil {
			return err
		}
		var free bool
		if err := tx.QueryRow(ctx, `SELECT until <= now() FROM lease WHERE name = $1`, name).Scan(&free); err != nil {
			return err
		}
		if !free {
			return ErrDeposed
		}
		if err := tx.QueryRow(ctx, `SELECT until <= clock_timestamp() FROM lease WHERE name = $1 FOR UPDATE`, name).Scan(&free); err != nil {
			return err
		}
		if !free {
			return ErrDeposed
		}
		return tx.QueryRow(ctx, `UPDATE lease SET holder = $2, epoch = epoch + 1, until = clock_timestamp() + make_interval(secs => $3) WHERE name = $1
			RETURNING epoch, until`, name, holder, seconds).Scan(&l.Epoch, &l.Until)
	})
	if err != nil {
		return Lease{}, fmt.Errorf("taking the lease %s: %w", name, err)
	}
	return l, nil
}

// ReleaseLease lets another process take over at once.
func (s *Store) ReleaseLease(ctx context.Context, l Lease) error {
	_, err := s.Pool.Exec(ctx, `UPDATE lease SET until = '-infinity' WHERE name = $1 AND epoch = $2`, l.Name, l.Epoch)
	if err != nil {
		return fmt.Errorf("releasing the lease %s: %w", l.Name, err)
	}
	return nil
}

// CheckLease makes a transaction fail with ErrDeposed where the lease has passed to
// another process, at the latest when it is to be committed, and keeps the lease
// from passing until the transaction ends. The server breaks off a transaction that
// falls silent for longer than the lease's span: a holder that froze in its midst, or
// whose machine is gone, would keep the lease from everybody else.
func CheckLease(tx *Tx, l Lease) {
	tx.Later("checking the lease "+l.Name, `SELECT `+silence("$3")+` FROM lease WHERE name = $1 AND epoch = $2 FOR KEY SHARE`,
		l.Name, l.Epoch, millis(l.Span)).QueryRow(func(row pgx.Row) error {
		var span string
		err := row.Scan(&span)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrDeposed
		}
		return err
	})
}

// silence bounds how long the transaction may be idle, in milliseconds.
func silence(parameter string) string {
	return `set_config('idle_in_transaction_session_timeout', ` + parameter + `, true)`
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
