package logging_test

import (
	"bufio"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/logging"
)

// written is read while it is written.
type written struct {
	mu   sync.Mutex
	text strings.Builder
}

func (w *written) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(b)
}

func (w *written) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// A vendor that answers twice makes net/http quote the second answer.
func TestTakeStandard_LeavesOutWhatLibrariesQuote(t *testing.T) {
	var out written
	logging.TakeStandard(slog.New(logging.JSON(&out, slog.LevelInfo)))
	t.Cleanup(func() { log.SetOutput(os.Stderr); log.SetFlags(log.LstdFlags) })
	const answer = "HTTP/1.1 201 Created\r\nContent-Length: 27\r\n\r\n{\"body\":\"Your code: XMAS-7\"}"
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			_, _ = conn.Write([]byte(answer + answer))
		}
	}()
	reply, err := http.Post("http://"+listener.Addr().String(), "text/plain", nil)
	require.NoError(t, err)
	first, err := io.ReadAll(reply.Body)
	require.NoError(t, err)
	require.NoError(t, reply.Body.Close())
	require.Contains(t, string(first), "XMAS-7")
	require.Eventually(t, func() bool { return out.String() != "" }, 10*time.Second, time.Millisecond)
	require.Contains(t, out.String(), "Unsolicited response received")
	require.NotContains(t, out.String(), "XMAS-7")
}
