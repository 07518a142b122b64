package process

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Host is where everything that is started for development listens: none of it
// asks who is there.
const Host = "127.0.0.1"

// Port checks that a port is free on Host, and picks a free one for zero. The
// error names the port and the setting by which another can be chosen.
func Port(port int, what, setting string) (int, error) {
	if port == 0 {
		return FreePort()
	}
	if !free(port) {
		return 0, fmt.Errorf("starting %s: port %d is taken; stop what listens there, or choose another port with %s", what, port, setting)
	}
	return port, nil
}

// Free ports lie below those that systems give to outgoing connections: one of these
// could take it before its server does, or while its server is being restarted.
const (
	firstPort = 20_000
	lastPort  = 32_000
)

var given struct {
	sync.Mutex
	ports map[int]bool
}

// FreePort gives a port on which nothing listens on Host, and gives it once.
func FreePort() (int, error) {
	given.Lock()
	defer given.Unlock()
	if given.ports == nil {
		given.ports = map[int]bool{}
	}
	for range lastPort - firstPort {
		port := firstPort + rand.IntN(lastPort-firstPort) // #nosec G404 -- spreads several processes
		if !given.ports[port] && free(port) {
			given.ports[port] = true
			return port, nil
		}
	}
	return 0, fmt.Errorf("finding a free port between %d and %d: all are taken", firstPort, lastPort)
}

func free(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort(Host, strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return l.Close() == nil
}
