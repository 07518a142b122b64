package wire

import (
	"net"
	"sync"
)

// gate keeps the connections through a proxy, so that they can be cut, and new
// ones refused.
type gate struct {
	mu     sync.Mutex
	open   map[net.Conn]struct{}
	closed bool
}

// Cut ends every connection. Where shut is set, new ones are refused until Open.
func (g *gate) Cut(shut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = shut
	for c := range g.open {
		c.Close()
	}
}

// Open takes new connections again.
func (g *gate) Open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = false
}

func (g *gate) serve(l net.Listener, pass func(net.Conn)) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			if g.enter(c) {
				pass(c)
			}
			g.leave(c)
		}()
	}
}

func (g *gate) enter(c net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open == nil {
		g.open = map[net.Conn]struct{}{}
	}
	if g.closed {
		return false
	}
	g.open[c] = struct{}{}
	return true
}

func (g *gate) leave(c net.Conn) {
	g.mu.Lock()
	delete(g.open, c)
	g.mu.Unlock()
	c.Close()
}
