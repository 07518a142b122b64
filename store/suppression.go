package store

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"scrip.dev/scrip/event"
)

// suppressionKey holds the key that suppressions are made with, made once, kept in
// the database, and cached for the life of the process.
type suppressionKey struct {
	sync.Mutex
	key []byte
}

// SigningKey gives that key; unsubscribe links are made with it too.
func (s *Store) SigningKey(ctx context.Context) ([]byte, error) {
	s.suppressing.Lock()
	defer s.suppressing.Unlock()
	if s.suppressing.key != nil {
		return s.suppressing.key, nil
	}
	var kept struct {
		Key []byte `json:"key"`
	}
	kept.Key = make([]byte, 32)
	_, _ = rand.Read(kept.Key)
	if err := s.settingOnce(ctx, "signing_key", &kept); err != nil {
		return nil, err
	}
	s.suppressing.key = kept.Key
	return kept.Key, nil
}

// AddressHMAC gives the key under which an address on a channel is suppressed. It
// outlives the erasure of the address.
func (s *Store) AddressHMAC(ctx context.Context, _ Querier, channel, address string) ([]byte, error) {
	key, err := s.SigningKey(ctx)
	if err != nil {
		return nil, err
	}
	_, norm := addressOn(channel, address)
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(channel + "\x00" + norm))
	return mac.Sum(nil), nil
}

// addressOn gives which kind of identity a channel's addresses are, and the
// address in the form in which they are compared.
func addressOn(channel, address string) (kind, norm string) {
	kind = event.Phone
	if channel == event.ChannelEmail {
		kind = event.Email
	}
	norm, _ = normaliseIdentity(kind, address, "")
	return kind, norm
}

// Suppress keeps an address from being written to on a channel. A hard one is
// also closed to transactional messages; it is never softened by a later word. A
// soft one that comes in after the person opted in anew is old news.
func (s *Store) Suppress(ctx context.Context, q Querier, channel, address, reason string, hard bool, source string, at time.Time) error {
	mac, err := s.AddressHMAC(ctx, q, channel, address)
	if err != nil {
		return err
	}
	kind, norm := addressOn(channel, address)
	_, err = q.Exec(ctx, `INSERT INTO suppression AS s (channel, address_hmac, reason, hard, source, at)
		SELECT $1, $2, $3, $4, $5, $6 WHERE $4 OR NOT EXISTS (SELECT 1 FROM consent c JOIN identity i ON i.contact_id = c.contact_id
			WHERE i.kind = $7 AND i.realm = '' AND i.value_norm = $8 AND c.channel = $1 AND c.state = 'granted' AND c.at > $6)
		ON CONFLICT (channel, address_hmac) DO UPDATE SET reason = excluded.reason, hard = true, source = excluded.source, at = excluded.at
		WHERE excluded.hard AND NOT s.hard`, channel, mac, reason, hard, source, at, kind, norm)
	if err != nil {
		return fmt.Errorf("suppressing an address: %w", err)
	}
	return nil
}

// Unsuppress lifts a suppression that isn't hard: the person opted in again.
func (s *Store) Unsuppress(ctx context.Context, q Querier, channel, address string, at time.Time) error {
	mac, err := s.AddressHMAC(ctx, q, channel, address)
	if err != nil {
		return err
	}
	return laterOne(ctx, q, "lifting a suppression", `DELETE FROM suppression WHERE channel = $1 AND address_hmac = $2 AND NOT hard AND at < $3`, channel, mac, at)
}

// Suppressed says whether an address is suppressed on a channel, why, and whether
// also for transactional messages.
func (s *Store) Suppressed(ctx context.Context, q Querier, channel, address string) (reason string, hard, ok bool, err error) {
	mac, err := s.AddressHMAC(ctx, q, channel, address)
	if err != nil {
		return "", false, false, err
	}
	err = q.QueryRow(ctx, `SELECT reason, hard FROM suppression WHERE channel = $1 AND address_hmac = $2`, channel, mac).Scan(&reason, &hard)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", false, false, nil
	}
	if err != nil {
		return "", false, false, fmt.Errorf("looking up a suppression: %w", err)
	}
	return reason, hard, true, nil
}
