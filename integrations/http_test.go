package integrations_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/integrations"
)

func post(t *testing.T, ctx context.Context, client *http.Client, address string) (*http.Response, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(`{"a":1}`))
	require.NoError(t, err)
	return client.Do(request)
}

func written(t *testing.T, err error) bool {
	t.Helper()
	var failure *integrations.TransportError
	require.ErrorAs(t, err, &failure)
	return failure.Written
}

// hangUp accepts connections, reads of each as much as told, and closes it.
func hangUp(t *testing.T, read func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			read(conn)
			_ = conn.Close()
		}
	}()
	return l.Addr().String()
}

func TestClient_KnowsThatNothingWasWritten(t *testing.T) {
	t.Parallel()
	client := integrations.NewHTTPClient(integrations.HTTPOptions{})
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, free.Close())
	noTLS := hangUp(t, func(c net.Conn) { _, _ = c.Write([]byte("220 not TLS\r\n")) })
	for name, address := range map[string]struct{ url, reason string }{
		"connection refused": {"http://" + free.Addr().String(), "connection_refused"},
		"unknown name":       {"http://no-such-host.invalid", "dns"},
		"no TLS there":       {"https://" + noTLS, "tls"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := post(t, t.Context(), client, address.url)
			require.False(t, written(t, err))
			failure := integrations.Classifier{Vendor: "a-vendor"}.Transport("calling", err)
			require.Equal(t, integrations.Retry, failure.Class)
			require.Equal(t, address.reason, failure.Code)
		})
	}
}

func TestClient_KnowsThatARequestMayHaveArrived(t *testing.T) {
	t.Parallel()
	address := hangUp(t, func(c net.Conn) { _, _ = c.Read(make([]byte, 1)) })
	_, err := post(t, t.Context(), integrations.NewHTTPClient(integrations.HTTPOptions{}), "http://"+address)
	require.True(t, written(t, err))
	require.Equal(t, integrations.Unknown, integrations.Classifier{}.Transport("calling", err).Class)
}

func TestClient_NeverSendsAPostTwice(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) == 1 {
			return // the first goes well and leaves its connection to be used again
		}
		_, _ = io.Copy(io.Discard, r.Body)
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}))
	t.Cleanup(server.Close)
	client := integrations.NewHTTPClient(integrations.HTTPOptions{})
	first, err := post(t, t.Context(), client, server.URL)
	require.NoError(t, err)
	_, err = integrations.ReadAnswer(first, 10)
	require.NoError(t, err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader("x"))
	require.NoError(t, err)
	request.Header.Set("Idempotency-Key", "net/http would send this one again")
	_, err = client.Do(request)
	require.True(t, written(t, err))
	require.EqualValues(t, 2, requests.Load())
}

func TestClient_WritesNothingAfterTheDeadlineHasPassedInTheMeantime(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	t.Cleanup(server.Close)
	deadline := time.Now().Add(50 * time.Millisecond)
	client := integrations.NewHTTPClient(integrations.HTTPOptions{})
	// Between the choice of a connection and the write, time passes.
	ctx := httptrace.WithClientTrace(integrations.WithDeadline(t.Context(), deadline), &httptrace.ClientTrace{
		WroteHeaders: func() { <-time.After(time.Until(deadline) + time.Millisecond) },
	})
	_, err := post(t, ctx, client, server.URL)
	require.ErrorIs(t, err, integrations.ErrDeadline)
	require.False(t, written(t, err))
	require.Zero(t, requests.Load())
}

func TestClient_UsesAConnectionAgainAfterADeadline(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	client := integrations.NewHTTPClient(integrations.HTTPOptions{})
	deadline := time.Now().Add(time.Second)
	for range 2 {
		answer, err := post(t, integrations.WithDeadline(t.Context(), deadline), client, server.URL)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
	}
	<-time.After(time.Until(deadline))
	answer, err := post(t, t.Context(), client, server.URL)
	require.NoError(t, err, "a deadline holds for its own request")
	require.NoError(t, answer.Body.Close())
}

func TestClient_FollowsRedirectsOnlyOnTheSameHostAndWithoutABody(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	t.Cleanup(other.Close)
	mux := http.NewServeMux()
	mux.Handle("/away", http.RedirectHandler(other.URL, http.StatusFound))
	mux.Handle("/near", http.RedirectHandler("/there", http.StatusTemporaryRedirect))
	mux.HandleFunc("/there", func(http.ResponseWriter, *http.Request) {})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	client := integrations.NewHTTPClient(integrations.HTTPOptions{})
	status := func(method, path string) int {
		request, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(""))
		require.NoError(t, err)
		answer, err := client.Do(request)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		return answer.StatusCode
	}
	require.Equal(t, http.StatusOK, status(http.MethodGet, "/near"))
	require.Equal(t, http.StatusFound, status(http.MethodGet, "/away"))
	require.Equal(t, http.StatusTemporaryRedirect, status(http.MethodPost, "/near"))
	require.Zero(t, elsewhere.Load())
}

func TestClient_RefusesPrivateAddressesWhenDialling(t *testing.T) {
	t.Parallel()
	var called atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called.Add(1) }))
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	require.NoError(t, err)
	client := integrations.NewHTTPClient(integrations.HTTPOptions{PublicOnly: true})
	for _, host := range []string{
		"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1",
		"169.254.169.254", "100.100.100.200", "[fe80::1]", "[fd00::1]", "224.0.0.1", "255.255.255.255", "[::]",
		"[64:ff9b::7f00:1]", "[2002:7f00:1::]",
	} {
		_, err := post(t, t.Context(), client, "http://"+net.JoinHostPort(strings.Trim(host, "[]"), port))
		require.ErrorIs(t, err, integrations.ErrPrivateAddress, host)
		failure := integrations.Classifier{}.Transport("calling", err)
		require.Equal(t, integrations.Invalid, failure.Class)
	}
	require.Zero(t, called.Load())
}

func TestClient_CapsAnswers(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range 5 << 10 {
			_, _ = w.Write(make([]byte, 1<<10))
		}
	}))
	t.Cleanup(server.Close)
	client := integrations.NewHTTPClient(integrations.HTTPOptions{})
	answer, err := post(t, t.Context(), client, server.URL)
	require.NoError(t, err)
	read, err := io.ReadAll(answer.Body)
	require.ErrorIs(t, err, integrations.ErrAnswerTooLarge)
	require.Len(t, read, 4<<20)
	require.NoError(t, answer.Body.Close())
}

func TestTransportError_RepeatsNothingOfTheRequest(t *testing.T) {
	t.Parallel()
	err := &integrations.TransportError{Err: errors.New(`Get "https://api.example.com/?To=+4915112345678": EOF`)}
	require.Equal(t, "calling: connection_lost", err.Error())
}
