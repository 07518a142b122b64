package conformance

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/integrations"
)

// Sends is what a Channel is tried with.
type Sends struct {
	// New makes the channel against a server that stands for the vendor.
	New func(t *testing.T, baseURL string) integrations.Channel
	// Accept answers as the vendor does when it takes a message.
	Accept  http.HandlerFunc
	Message integrations.Message
	// Classes are the statuses that this vendor means differently.
	Classes map[int]integrations.Class
	// Secrets may stand in no error: keys, and the message's personal data.
	Secrets []string
}

// Channel runs the suite for a vendor's sends.
func Channel(t *testing.T, s Sends) {
	t.Run("is accepted once", s.accepted)
	t.Run("classes every status and calls once", s.statuses)
	t.Run("hands Retry-After on", s.retryAfter)
	t.Run("knows that a refused connection took nothing", s.refused)
	t.Run("does not know after a connection is lost", s.lost)
	t.Run("does not know after a time-out", s.timeout)
	t.Run("writes nothing after the deadline", s.deadline)
	t.Run("writes nothing when cancelled before", s.cancelled)
	t.Run("follows no redirect", s.redirect)
	t.Run("survives an endless answer", s.endless)
	t.Run("prints no secret", func(t *testing.T) { Discreet(t, s.New(t, "http://127.0.0.1:1"), s.Secrets...) })
}

// serve runs a handler that counts, and gives the channel against it.
func (s Sends) serve(t *testing.T, handler http.HandlerFunc) (integrations.Channel, *atomic.Int64) {
	t.Helper()
	calls := new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		handler(w, r)
	}))
	t.Cleanup(server.Close)
	return s.New(t, server.URL), calls
}

func (s Sends) fails(t *testing.T, ctx context.Context, c integrations.Channel, m integrations.Message) *integrations.Error {
	t.Helper()
	_, err := c.Send(ctx, m)
	var failure *integrations.Error
	require.ErrorAs(t, err, &failure)
	require.NotEmpty(t, failure.Doing)
	require.NotEmpty(t, failure.Code)
	require.NotEmpty(t, failure.Vendor)
	Discreet(t, err, s.Secrets...)
	return failure
}

func (s Sends) accepted(t *testing.T) {
	c, calls := s.serve(t, s.Accept)
	require.NotEmpty(t, c.Channel())
	sent, err := c.Send(t.Context(), s.Message)
	require.NoError(t, err)
	require.NotEmpty(t, sent.VendorID)
	require.WithinDuration(t, time.Now(), sent.At, time.Minute)
	require.EqualValues(t, 1, calls.Load())
}

func (s Sends) statuses(t *testing.T) {
	var status atomic.Int64
	c, calls := s.serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(int(status.Load()))
		fmt.Fprintf(w, `{"message": %q}`, strings.Join(s.Secrets, " "))
	})
	for code := 300; code < 600; code++ {
		status.Store(int64(code))
		before := calls.Load()
		failure := s.fails(t, t.Context(), c, s.Message)
		want, own := s.Classes[code]
		if !own {
			want = integrations.ClassOfStatus(code, false)
		}
		require.Equal(t, want, failure.Class, "status %d", code)
		require.Equal(t, before+1, calls.Load(), "status %d is not tried again inside", code)
	}
}

func (s Sends) retryAfter(t *testing.T) {
	c, _ := s.serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "17")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	failure := s.fails(t, t.Context(), c, s.Message)
	require.Equal(t, integrations.RateLimited, failure.Class)
	require.Equal(t, 17*time.Second, failure.RetryAfter)
}

func (s Sends) refused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	failure := s.fails(t, t.Context(), s.New(t, "http://"+l.Addr().String()), s.Message)
	require.Equal(t, integrations.Retry, failure.Class)
	require.Equal(t, "connection_refused", failure.Code)
}

func (s Sends) lost(t *testing.T) {
	c, calls := s.serve(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	})
	require.Equal(t, integrations.Unknown, s.fails(t, t.Context(), c, s.Message).Class)
	require.EqualValues(t, 1, calls.Load())
}

func (s Sends) timeout(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c, _ := s.serve(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	require.Equal(t, integrations.Unknown, s.fails(t, ctx, c, s.Message).Class)
}

func (s Sends) deadline(t *testing.T) {
	c, calls := s.serve(t, s.Accept)
	m := s.Message
	m.Deadline = time.Now().Add(-time.Second)
	failure := s.fails(t, t.Context(), c, m)
	require.Equal(t, integrations.Retry, failure.Class)
	require.Equal(t, "deadline_passed", failure.Code)
	require.Zero(t, calls.Load())
}

func (s Sends) cancelled(t *testing.T) {
	c, calls := s.serve(t, s.Accept)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Equal(t, integrations.Retry, s.fails(t, ctx, c, s.Message).Class)
	require.Zero(t, calls.Load())
}

func (s Sends) redirect(t *testing.T) {
	_, elsewhere := s.serve(t, s.Accept)
	c, calls := s.serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})
	require.Equal(t, integrations.Invalid, s.fails(t, t.Context(), c, s.Message).Class)
	require.EqualValues(t, 1, calls.Load())
	require.Zero(t, elsewhere.Load())
}

func (s Sends) endless(t *testing.T) {
	c, _ := s.serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		for range 6 << 10 {
			if _, err := w.Write([]byte(strings.Repeat("x", 1<<10))); err != nil {
				return
			}
		}
	})
	require.Equal(t, integrations.Invalid, s.fails(t, t.Context(), c, s.Message).Class)
}
