package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
)

// Scopes of an API key. Admin includes the others.
const (
	ScopeRead   = "read"   // look at everything but people's addresses in bulk
	ScopeWrite  = "write"  // campaigns, contacts, messages, journeys
	ScopeEvents = "events" // send events
	ScopeCodes  = "codes"  // assign, hold, redeem, roll back and check codes
	ScopeAdmin  = "admin"  // keys, erasure, the kill switch, and all of the above
)

// Scopes in the order in which they are listed.
var Scopes = []string{ScopeRead, ScopeWrite, ScopeEvents, ScopeCodes, ScopeAdmin}

// APIKey is what is known of a key; the secret itself is not kept.
type APIKey struct {
	ID        string
	Name      string
	Prefix    string // the first letters, by which a person recognises it
	Scopes    []string
	CreatedAt time.Time
	RevokedAt *time.Time
}

// May says whether the key covers a scope.
func (k APIKey) May(scope string) bool {
	return slices.Contains(k.Scopes, scope) || slices.Contains(k.Scopes, ScopeAdmin)
}

// Errors of Authenticate.
var (
	ErrUnknownKey = errors.New("unknown key")
	ErrRevokedKey = errors.New("revoked key")
)

// keyForm: "scrip_", eight letters that find the row, "_", 32 letters (160 bits).
const (
	keyMark   = "scrip_"
	prefixLen = len(keyMark) + 8
	secretLen = prefixLen + 1 + 32
)

// NewKey makes a key. The secret is returned this once and stored only as its
// SHA-256, which suffices for 160 random bits.
func (s *Store) NewKey(ctx context.Context, name string, scopes []string) (APIKey, string, error) {
	for _, scope := range scopes {
		if !slices.Contains(Scopes, scope) {
			return APIKey{}, "", fmt.Errorf("creating a key: %q is no scope; choose from %s", scope, strings.Join(Scopes, ", "))
		}
	}
	var random [25]byte
	_, _ = rand.Read(random[:])
	letters := idEncoding.EncodeToString(random[:])
	secret := keyMark + letters[:8] + "_" + letters[8:]
	hash := sha256.Sum256([]byte(secret))
	key := APIKey{ID: NewID(KeyID), Name: name, Prefix: secret[:prefixLen], Scopes: scopes}
	err := s.Pool.QueryRow(ctx, `INSERT INTO api_key (id, name, prefix, sha256, scopes) VALUES ($1, $2, $3, $4, $5) RETURNING created_at`,
		key.ID, key.Name, key.Prefix, hash[:], key.Scopes).Scan(&key.CreatedAt)
	if err != nil {
		return APIKey{}, "", fmt.Errorf("creating a key: %w", err)
	}
	return key, secret, nil
}

// Authenticate finds the key that a secret is of: ErrUnknownKey or ErrRevokedKey
// where there is none that may be used. The comparison takes the same time
// wherever the secrets differ.
func (s *Store) Authenticate(ctx context.Context, secret string) (APIKey, error) {
	if len(secret) != secretLen || !utf8.ValidString(secret) || strings.ContainsRune(secret, 0) {
		return APIKey{}, ErrUnknownKey // none of ours, and perhaps no text that could be asked for
	}
	var key APIKey
	var stored []byte
	err := s.Pool.QueryRow(ctx, `SELECT id, name, prefix, sha256, scopes, created_at, revoked_at FROM api_key WHERE prefix = $1`,
		strings.ToValidUTF8(secret[:prefixLen], "?")).
		Scan(&key.ID, &key.Name, &key.Prefix, &stored, &key.Scopes, &key.CreatedAt, &key.RevokedAt)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return APIKey{}, fmt.Errorf("looking up a key: %w", err)
	}
	if stored == nil {
		stored = make([]byte, sha256.Size)
	}
	hash := sha256.Sum256([]byte(secret))
	switch {
	case subtle.ConstantTimeCompare(hash[:], stored) != 1:
		return APIKey{}, ErrUnknownKey
	case key.RevokedAt != nil:
		return APIKey{}, ErrRevokedKey
	}
	return key, nil
}

// Keys lists all keys, the newest first.
func (s *Store) Keys(ctx context.Context) ([]APIKey, error) {
	rows, err := s.Pool.Query(ctx, `SELECT id, name, prefix, scopes, created_at, revoked_at FROM api_key ORDER BY id DESC`)
	if err != nil {
		return nil, fmt.Errorf("listing keys: %w", err)
	}
	keys, err := pgx.CollectRows(rows, pgx.RowToStructByPos[APIKey])
	if err != nil {
		return nil, fmt.Errorf("listing keys: %w", err)
	}
	return keys, nil
}

// RevokeKey ends a key, by its id or its prefix. Revoking it again changes
// nothing.
func (s *Store) RevokeKey(ctx context.Context, idOrPrefix string) (APIKey, error) {
	rows, err := s.Pool.Query(ctx, `UPDATE api_key SET revoked_at = coalesce(revoked_at, now()) WHERE id = $1 OR prefix = $1
		RETURNING id, name, prefix, scopes, created_at, revoked_at`, idOrPrefix)
	if err != nil {
		return APIKey{}, fmt.Errorf("revoking a key: %w", err)
	}
	key, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[APIKey])
	if errors.Is(err, pgx.ErrNoRows) {
		return APIKey{}, fmt.Errorf("revoking a key: %w", ErrNotFound)
	}
	if err != nil {
		return APIKey{}, fmt.Errorf("revoking a key: %w", err)
	}
	return key, nil
}
