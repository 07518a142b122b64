package starter

import (
	"container/list"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// connections bounds how many are open. A bound that made new ones wait would let
// whoever holds all of them lock everybody out; so a new one takes the place of
// the one that has been without a request for the longest time. Where a request is
// under way in each of them, the new one is closed: its caller asks again.
type connections struct {
	most int
	log  *slog.Logger

	mu      sync.Mutex
	open    map[net.Conn]*list.Element // nil: a request is under way
	waiting *list.List                 // of net.Conn, the longest-waiting first
	warned  time.Time
}

func newConnections(most int, log *slog.Logger) *connections {
	return &connections{most: most, log: log, open: map[net.Conn]*list.Element{}, waiting: list.New()}
}

// changed is the server's ConnState.
func (c *connections) changed(conn net.Conn, state http.ConnState) {
	if surplus := c.note(conn, state); surplus != nil {
		_ = surplus.Close()
	}
}

// note keeps the books and gives the connection that has to go, if any.
func (c *connections) note(conn net.Conn, state http.ConnState) (surplus net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	place, known := c.open[conn]
	if !known && state != http.StateNew {
		return nil // it was closed here
	}
	if place != nil {
		c.waiting.Remove(place)
	}
	switch state {
	case http.StateNew, http.StateIdle:
		c.open[conn] = c.waiting.PushBack(conn)
	case http.StateActive:
		c.open[conn] = nil
	default:
		delete(c.open, conn)
	}
	if len(c.open) <= c.most {
		return nil
	}
	longest := c.waiting.Remove(c.waiting.Front()).(net.Conn)
	delete(c.open, longest)
	if now := time.Now(); now.Sub(c.warned) > time.Minute {
		c.warned = now
		c.log.Warn("too many connections: those without a request are closed; if this is no attack raise max_connections", "max_connections", c.most)
	}
	return longest
}
