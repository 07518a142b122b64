package starter

import (
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestConnections_ANewOneTakesThePlaceOfTheLongestWaiting(t *testing.T) {
	t.Parallel()
	var said strings.Builder
	c := newConnections(2, slog.New(slog.NewTextHandler(&said, nil)))
	first, second, third, fourth := &net.TCPConn{}, &net.TCPConn{}, &net.TCPConn{}, &net.TCPConn{}
	require.Nil(t, c.note(first, http.StateNew))
	require.Nil(t, c.note(second, http.StateNew))
	require.Empty(t, said.String())

	require.Nil(t, c.note(first, http.StateActive))
	require.Nil(t, c.note(first, http.StateIdle), "it waits again, for a shorter time than the second")
	require.Same(t, second, c.note(third, http.StateNew))
	require.Equal(t, 1, strings.Count(said.String(), "too many connections"))
	require.Nil(t, c.note(second, http.StateClosed), "what was closed here is not counted down again")

	require.Nil(t, c.note(first, http.StateActive))
	require.Nil(t, c.note(third, http.StateActive))
	require.Same(t, fourth, c.note(fourth, http.StateNew), "a request is under way in each of the others")
	require.Equal(t, 1, strings.Count(said.String(), "too many connections"), "once a minute is enough")

	require.Nil(t, c.note(first, http.StateClosed))
	require.Nil(t, c.note(third, http.StateHijacked))
	require.Empty(t, c.open)
	require.Zero(t, c.waiting.Len())
}
