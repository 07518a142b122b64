package store_test

import (
	"crypto/sha256"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/store"
)

func opened(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), migrated.URL(t), 8)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

func TestAuthenticate_KnowsAKeyByItsSecretAlone(t *testing.T) {
	t.Parallel()
	s := opened(t)
	key, secret, err := s.NewKey(t.Context(), "till", []string{store.ScopeCodes})
	require.NoError(t, err)
	found, err := s.Authenticate(t.Context(), secret)
	require.NoError(t, err)
	require.Equal(t, key.ID, found.ID)
	require.True(t, found.May(store.ScopeCodes))
	require.False(t, found.May(store.ScopeRead))
	for _, wrong := range []string{"", "scrip_", key.Prefix, secret[:len(secret)-1], secret + "x", key.Prefix + "_" + secret[:32]} {
		_, err := s.Authenticate(t.Context(), wrong)
		require.ErrorIs(t, err, store.ErrUnknownKey, "%q", wrong)
	}
	var rows int
	require.NoError(t, s.Pool.QueryRow(t.Context(), `SELECT count(*) FROM api_key WHERE sha256 = convert_to($1, 'UTF8')`, secret).Scan(&rows))
	require.Zero(t, rows)
}

func TestBegin_LetsOneOfManyThrough(t *testing.T) {
	t.Parallel()
	s := opened(t)
	key, _, err := s.NewKey(t.Context(), "till", []string{store.ScopeCodes})
	require.NoError(t, err)
	sum := sha256.Sum256([]byte("body"))
	request := store.Idempotent{APIKeyID: key.ID, Key: "k", Route: "POST /x", Body: sum[:]}
	var through, busy atomic.Int32
	var asking sync.WaitGroup
	for range 20 {
		asking.Go(func() {
			switch first, err := s.Begin(t.Context(), request); {
			case err == nil && first == nil:
				through.Add(1)
			case err == store.ErrIdempotencyBusy:
				busy.Add(1)
			}
		})
	}
	asking.Wait()
	require.EqualValues(t, 1, through.Load())
	require.EqualValues(t, 19, busy.Load())

	require.NoError(t, s.Abandon(t.Context(), request))
	first, err := s.Begin(t.Context(), request)
	require.NoError(t, err)
	require.Nil(t, first, "what failed without an effect is done again")
	for _, answer := range []string{"made", "made again"} {
		done, err := s.Finish(t.Context(), s.Pool, request, store.Answered{201, []byte(answer)})
		require.NoError(t, err)
		require.Equal(t, answer == "made", done, "the first answer stays")
	}
	require.NoError(t, s.Abandon(t.Context(), request))
	first, err = s.Begin(t.Context(), request)
	require.NoError(t, err)
	require.Equal(t, &store.Answered{201, []byte("made")}, first)
	request.Route = "POST /y"
	_, err = s.Begin(t.Context(), request)
	require.ErrorIs(t, err, store.ErrIdempotencyMismatch)
}

func TestBegin_TakesOverFromAProcessThatDied(t *testing.T) {
	t.Parallel()
	s := opened(t)
	key, _, err := s.NewKey(t.Context(), "till", []string{store.ScopeCodes})
	require.NoError(t, err)
	request := store.Idempotent{APIKeyID: key.ID, Key: "k", Route: "POST /x", Body: []byte{1}}
	_, err = s.Begin(t.Context(), request)
	require.NoError(t, err)
	silent := func() {
		_, err := s.Pool.Exec(t.Context(), `UPDATE idempotency_key SET at = now() - interval '30 seconds'`)
		require.NoError(t, err)
	}
	silent()
	require.NoError(t, s.Renew(t.Context(), request))
	_, err = s.Begin(t.Context(), request)
	require.ErrorIs(t, err, store.ErrIdempotencyBusy, "a long request that still renews its key has not died")
	silent()
	first, err := s.Begin(t.Context(), request)
	require.NoError(t, err)
	require.Nil(t, first)
	_, err = s.Begin(t.Context(), request)
	require.ErrorIs(t, err, store.ErrIdempotencyBusy)
}

func TestClockStart_IsTheSameForEveryProcess(t *testing.T) {
	t.Parallel()
	s := opened(t)
	first, err := s.ClockStart(t.Context())
	require.NoError(t, err)
	again, err := s.ClockStart(t.Context())
	require.NoError(t, err)
	require.True(t, first.Equal(again))
}

func TestUnsubscribeToken_IsOursAndWhole(t *testing.T) {
	t.Parallel()
	s := opened(t)
	token, err := s.UnsubscribeToken(t.Context(), "ct_1", "email")
	require.NoError(t, err)
	contact, channel, err := s.ReadUnsubscribeToken(t.Context(), token)
	require.NoError(t, err)
	require.Equal(t, []string{"ct_1", "email"}, []string{contact, channel})
	for i := range token {
		changed := []byte(token)
		changed[i] ^= 1
		if contact, _, err := s.ReadUnsubscribeToken(t.Context(), string(changed)); err == nil {
			// The last letter holds bits that belong to no byte.
			require.Equal(t, len(token)-1, i)
			require.Equal(t, "ct_1", contact)
		}
	}
}
