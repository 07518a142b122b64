package attack_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/codec"
	"scrip.dev/scrip/prove/proof"
	"scrip.dev/scrip/starter"
)

const decoderToken = "a-token-of-the-codec"

// beside are the two other servers of a system: a worker's metrics, and what
// decrypts payloads for Temporal's UI.
func (at *target) beside() (worker, decoder *target) {
	at.Helper()
	log := slog.New(slog.NewTextHandler(at.log, nil))
	ctx, stop := context.WithCancel(context.WithoutCancel(at.Context()))
	ended := make(chan error, 2)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(at, err)
	address := listener.Addr().String()
	require.NoError(at, listener.Close())
	go func() { ended <- starter.ServeMetrics(ctx, address, starter.NewMetrics(), at.store, nil, log) }()

	key, err := codec.NewKey("2026", base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef")))
	require.NoError(at, err)
	handler := codec.Server(codec.ServerOptions{Codec: codec.New(key), Token: decoderToken})
	bound := make(chan net.Addr, 1)
	go func() {
		ended <- starter.Serve(ctx, "127.0.0.1:0", handler, starter.Limits{Header: 300 * time.Millisecond, Idle: 300 * time.Millisecond, Body: 300 * time.Millisecond}, log,
			func(addr net.Addr) { bound <- addr })
	}()
	at.Cleanup(func() { stop(); require.NoError(at, <-ended); require.NoError(at, <-ended) })
	server := func(address string) *target {
		return &target{T: at.T, store: at.store, log: at.log, address: address, url: "http://" + address}
	}
	worker, decoder = server(address), server((<-bound).String())
	require.Eventually(at, func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}, time.Minute, 10*time.Millisecond)
	return worker, decoder
}

func (at *target) decode(body, token string) reply {
	return at.do(call{method: "POST", path: "/decode", key: token, body: body})
}

func TestBeside_TheServersOfWorkersAndOfTheCodecAreBounded(t *testing.T) {
	t.Parallel()
	worker, decoder := newTarget(t, aim{}).beside()
	tried := 0
	for name, at := range map[string]*target{"the worker's metrics": worker, "the codec": decoder} {
		// Half a request, and none at all.
		open := append(at.hang(20, "GET /metrics HTTP/1.1\r\nHost: x\r\n"), at.hang(20, "POST /decode HTTP/1.1\r\nX-Slow: ")...)
		if at == decoder { // a worker's are closed after two minutes
			open = append(open, at.hang(20, "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n")...)
			open = append(open, at.hang(20, "POST /decode HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+decoderToken+"\r\nContent-Length: 1000\r\n\r\n{")...)
			open = append(open, at.hang(20, "POST /decode HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")...)
		}
		for _, conn := range open {
			said := at.closed(conn)
			require.NotContains(t, said, "HTTP/1.1 2", "%s answered what never came", name)
			tried++
		}
		// Headers beyond what is read of them.
		huge := at.hang(1, "GET /metrics HTTP/1.1\r\nHost: x\r\nX-Huge: "+strings.Repeat("a", 80<<10)+"\r\n\r\n")
		require.Contains(t, at.closed(huge[0]), "431", name)
		for _, method := range []string{"TRACE", "PUT", "DELETE", "PROPFIND"} {
			for _, path := range []string{"/metrics", "/healthz", "/readyz", "/decode", "/encode", "/", "/..%2fmetrics", "/%00"} {
				got := at.do(call{method: method, path: path, header: http.Header{"X-Secret-Of-Mine": {"echo-me"}}})
				require.GreaterOrEqual(t, got.status, 400, "%s: %s %s", name, method, path)
				require.NotContains(t, got.body, "echo-me")
				noLeak(t, name, got)
				tried++
			}
		}
	}
	require.Equal(t, http.StatusOK, worker.do(call{method: "GET", path: "/healthz"}).status)
	require.Equal(t, http.StatusOK, worker.do(call{method: "GET", path: "/metrics"}).status)

	// The codec reads nobody's payloads but for who has the token, and no more than
	// Temporal lets one message have.
	good := `{"payloads": [{"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "IngiCg=="}]}`
	for _, token := range []string{"", "x", decoderToken + "x", decoderToken[1:], strings.ToUpper(decoderToken)} {
		require.Equal(t, http.StatusUnauthorized, decoder.decode(good, token).status, token)
		tried++
	}
	require.Equal(t, http.StatusOK, decoder.decode(good, decoderToken).status)
	for _, body := range []string{`{"payloads": [` + strings.Repeat(" ", 8<<20) + `]}`, strings.Repeat("[", 1<<20), deepObject(100_000), `{"payloads": ` + deep(100_000) + `}`,
		`{"payloads": [{"metadata": {"encoding": "YmluYXJ5L2VuY3J5cHRlZA==", "encryption-key-id": "MjAyNg=="}, "data": ""}]}`} {
		got := decoder.decode(body, decoderToken)
		require.GreaterOrEqual(t, got.status, 400, fmt.Sprintf("%.60s", body))
		require.Less(t, got.status, 500, fmt.Sprintf("%.60s", body))
		tried++
	}
	require.Equal(t, http.StatusOK, decoder.decode(good, decoderToken).status, "it goes on")
	proof.Found(t, proof.Finding{Tried: "half requests, huge headers and bodies, other methods and wrong tokens at a worker's metrics and at the codec", Times: tried, Found: "each closed or refused, both go on"})
}
