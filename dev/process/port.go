package process

import (
	"fmt"
	"net"
	"strconv"
)

// Host is where everything that is started for development listens: none of it
// asks who is there.
const Host = "127.0.0.1"

// Port checks that a port is free on Host, and picks a free one for zero. The
// error names the port and the setting by which another can be chosen.
func Port(port int, what, setting string) (int, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(Host, strconv.Itoa(port)))
	if err != nil {
		return 0, fmt.Errorf("starting %s: port %d is taken; stop what listens there, or choose another port with %s", what, port, setting)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
