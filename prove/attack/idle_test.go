package attack_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/prove/proof"
	"scrip.dev/scrip/starter"
)

// hang opens n connections that say nothing, or only the beginning of a request.
func (at *target) hang(n int, beginning string) []net.Conn {
	at.Helper()
	open := make([]net.Conn, n)
	for i := range open {
		conn, err := net.Dial("tcp", at.address)
		require.NoError(at, err, "after %d connections: is the limit of open files too low?", i)
		at.Cleanup(func() { _ = conn.Close() })
		if beginning != "" {
			_, err = conn.Write([]byte(beginning))
			require.NoError(at, err)
		}
		open[i] = conn
	}
	return open
}

// closed waits until the server has closed a connection, and gives what it said.
func (at *target) closed(conn net.Conn) string {
	at.Helper()
	require.NoError(at, conn.SetReadDeadline(time.Now().Add(time.Minute)))
	var said strings.Builder
	_, err := bufio.NewReader(conn).WriteTo(&said)
	var timeout net.Error
	if err != nil {
		require.NotErrorAs(at, err, &timeout, "the server still waits")
	}
	return said.String()
}

func TestIdle_ThousandsOfConnectionsKeepNobodyOut(t *testing.T) {
	t.Parallel()
	at := newTarget(t, aim{limits: starter.Limits{Header: 15 * time.Second, Idle: 15 * time.Second, Connections: 20_000}})
	n := proof.Size(500, 5000)
	silent := at.hang(n/2, "")
	begun := at.hang(n/2, "POST /hooks/own HTTP/1.1\r\nHost: x\r\n")
	for i := range 20 {
		h := at.standard("own", i, time.Now())
		got := at.do(call{method: "POST", path: h.path, body: h.body, header: h.header}) // on a new connection
		require.Equal(t, http.StatusOK, got.status, got.body)
	}
	require.Equal(t, 20, value[int](at, `SELECT count(*) FROM delivery`))
	for _, conn := range append(silent, begun...) {
		at.closed(conn)
	}
	proof.Found(t, proof.Finding{Tried: "idle and half-begun connections beside signed webhooks", Times: n, Found: "20 of 20 webhooks answered on new connections; every idle one closed by the server"})
}

func TestIdle_BeyondTheBoundTheLongestIdleMakesRoom(t *testing.T) {
	t.Parallel()
	const most = 100
	at := newTarget(t, aim{limits: starter.Limits{Header: time.Hour, Idle: time.Hour, Connections: most}})
	idle := at.hang(5*most, "")
	for i := range 10 {
		h := at.standard("own", i, time.Now())
		got := at.do(call{method: "POST", path: h.path, body: h.body, header: h.header})
		require.Equal(t, http.StatusOK, got.status, "a webhook was kept out: %s", got.body)
	}
	for _, conn := range idle[:4*most] {
		at.closed(conn) // although their time isn't up for an hour
	}
	require.Contains(t, at.log.text(), "too many connections")
}

func TestSlow_HeadersAndBodiesAreNotWaitedForLong(t *testing.T) {
	t.Parallel()
	at := newTarget(t, aim{limits: starter.Limits{Header: 300 * time.Millisecond, Idle: 300 * time.Millisecond, Body: 300 * time.Millisecond, BodyRate: 1 << 20}})
	f := at.furnish()
	head := func(method, path, more string) string {
		return method + " " + path + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + more
	}
	before := at.everything()
	bearer := "Authorization: Bearer " + at.admin + "\r\n"
	var open []net.Conn
	for _, a := range at.described(f) {
		if a.body == "" {
			continue
		}
		kind := ""
		if a.kind != "" {
			kind = "Content-Type: " + a.kind + "\r\n"
		}
		path := strings.ReplaceAll(a.call.path, " ", "%20")
		request := strings.Replace(head(a.call.method, path, bearer+"Content-Length: 1000\r\n\r\n{"), "Content-Type: application/json\r\n", "", 1)
		request = strings.Replace(request, "Host: x\r\n", "Host: x\r\n"+kindOr(kind), 1)
		open = append(open, at.hang(1, request)...)
		// With an idempotency key the body is read elsewhere, without a key not at all.
		open = append(open, at.hang(1, strings.Replace(request, bearer, bearer+"Idempotency-Key: slow"+fmt.Sprint(len(open))+"\r\n", 1))...)
		open = append(open, at.hang(1, strings.Replace(request, bearer, "", 1))...)
		open = append(open, at.hang(1, strings.Replace(request, "Content-Length: 1000\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", 1))...)
	}
	for _, s := range at.signers() {
		open = append(open, at.hang(1, head("POST", s.sign(s.first, 1, time.Now()).path, "Content-Length: 1000\r\n\r\n{"))...)
	}
	open = append(open, at.hang(1, head("POST", "/u/token", "Content-Length: 1000\r\n\r\n"))...)
	open = append(open, at.hang(1, head("GET", "/docs", "Content-Length: 1000\r\n\r\n"))...)
	open = append(open, at.hang(1, head("POST", "/nowhere", "Content-Length: 1000\r\n\r\n"))...)
	for _, conn := range open {
		said := at.closed(conn)
		require.NotContains(t, said, "HTTP/1.1 5", said)
		require.NotContains(t, said, "i/o timeout")
	}
	// A body that breaks off is no body.
	for _, s := range at.signers() {
		h := s.sign(s.first, 1, time.Now())
		for _, conn := range at.hang(1, head("POST", h.path, lines(h.header)+"Content-Length: 100000\r\n\r\n"+h.body)) {
			require.NoError(t, conn.(*net.TCPConn).CloseWrite())
			require.NotContains(t, at.closed(conn), "HTTP/1.1 2", s.kind)
		}
	}
	after := at.everything()
	delete(before, "import")
	delete(after, "import") // begun, and nothing in it
	delete(before, "audit")
	delete(after, "audit")
	require.Equal(t, before, after, "a body that never came had an effect")
	proof.Found(t, proof.Finding{Tried: "bodies that come slowly or break off, on every route", Times: len(open), Found: "each connection closed within its time-out, no row changed"})
}

// Whoever asks and doesn't read the answers gives its connection back.
func TestSlow_AnswersThatNobodyReadsAreNotWaitedForLong(t *testing.T) {
	t.Parallel()
	at := newTarget(t, aim{limits: starter.Limits{Header: time.Hour, Idle: time.Hour, Write: 300 * time.Millisecond}})
	const readers = 5
	for range readers {
		conn, err := net.Dial("tcp", at.address)
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		require.NoError(t, conn.(*net.TCPConn).SetReadBuffer(4<<10))
		// As many answers as no buffer on the way holds. Once the server has gone,
		// what is still sent to it is refused.
		asked := "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
		require.Eventually(t, func() bool {
			require.NoError(t, conn.SetWriteDeadline(time.Now().Add(100*time.Millisecond)))
			_, err := conn.Write([]byte(strings.Repeat(asked, 100)))
			return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
		}, time.Minute, 10*time.Millisecond, "the server still waits for somebody who doesn't read")
	}
	require.Equal(t, http.StatusOK, at.do(call{method: "GET", path: "/openapi.json"}).status)
	proof.Found(t, proof.Finding{Tried: "connections that ask and read no answer", Times: readers, Found: "each closed by the server"})
}

func kindOr(kind string) string {
	if kind == "" {
		return "Content-Type: application/json\r\n"
	}
	return kind
}

func lines(header http.Header) string {
	var b strings.Builder
	_ = header.Write(&b)
	return b.String()
}
