package wire

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// PostgresProxy passes a process's connections on to Postgres. Its moments are
// the commits: of transactions, and of statements and batches outside of them.
// https://www.postgresql.org/docs/current/protocol-message-formats.html
type PostgresProxy struct {
	Process string
	Tap     *Tap
	Target  string                 // host:port of the server
	Ignore  func(does string) bool // commits that are no moments; may be nil

	gate
}

// Serve accepts connections until the listener is closed.
func (p *PostgresProxy) Serve(l net.Listener) {
	p.serve(l, func(client net.Conn) {
		server, err := net.Dial("tcp", p.Target)
		if err != nil {
			client.Close()
			return
		}
		c := &session{proxy: p, client: client, server: server, statements: map[string]string{}, idle: true}
		go c.answers()
		c.requests()
	})
}

// session is one connection.
type session struct {
	proxy          *PostgresProxy
	client, server net.Conn
	statements     map[string]string // prepared, by name
	writes         []string          // tables written in the unit under way
	begins         bool              // among what goes to the server together is a BEGIN,
	commits        bool              // or a COMMIT

	mu   sync.Mutex
	idle bool    // no transaction is open
	open *Moment // the commit that is asked for
}

func (s *session) close() { s.client.Close(); s.server.Close() }

// requests passes on what the client says.
func (s *session) requests() {
	defer s.close()
	in, out := bufio.NewReader(s.client), bufio.NewWriter(s.server)
	if err := startup(in, out); err != nil {
		return
	}
	for {
		kind, body, err := message(in)
		if err != nil {
			return
		}
		if s.cutBefore(kind, body) {
			return
		}
		if send(out, kind, body) != nil || in.Buffered() == 0 && out.Flush() != nil {
			return
		}
	}
}

// cutBefore looks at a request. One that ends a unit which writes is a moment.
func (s *session) cutBefore(kind byte, body []byte) bool {
	ends := false
	switch kind {
	case 'P': // Parse: name, statement
		name, rest := text(body)
		sql, _ := text(rest)
		s.statements[name] = sql
	case 'B': // Bind: portal, statement's name
		_, rest := text(body)
		name, _ := text(rest)
		s.says(s.statements[name])
	case 'Q': // a statement without parameters
		sql, _ := text(body)
		s.says(sql)
		ends = true
	case 'S': // Sync
		ends = true
	}
	if !ends {
		return false
	}
	unit := s.commits || s.isIdle() && !s.begins
	s.begins, s.commits = false, false
	if !unit {
		return false
	}
	slices.Sort(s.writes)
	does := strings.Join(slices.Compact(s.writes), ",")
	s.writes = nil
	if does == "" || s.proxy.Ignore != nil && s.proxy.Ignore(does) {
		return false
	}
	m := s.proxy.Tap.count(s.proxy.Process, Postgres, does)
	if s.proxy.Tap.meet(m) {
		return true
	}
	s.mu.Lock()
	s.open = &m
	s.mu.Unlock()
	return false
}

// says notes what a statement does to the unit under way.
func (s *session) says(sql string) {
	switch strings.ToLower(strings.TrimSpace(sql)) {
	case "begin":
		s.begins = true
	case "commit":
		s.commits = true
	case "rollback":
		s.writes = nil
	default:
		s.writes = append(s.writes, tables(sql)...)
	}
}

func (s *session) isIdle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.idle
}

// answers passes on what the server says.
func (s *session) answers() {
	defer s.close()
	in, out := bufio.NewReader(s.server), bufio.NewWriter(s.client)
	for {
		kind, body, err := message(in)
		if err != nil {
			return
		}
		if kind == 'Z' && s.cutAfter(body) { // ReadyForQuery
			return
		}
		if send(out, kind, body) != nil || in.Buffered() == 0 && out.Flush() != nil {
			return
		}
	}
}

func (s *session) cutAfter(status []byte) bool {
	s.mu.Lock()
	s.idle = len(status) == 1 && status[0] == 'I'
	done := s.open
	if s.idle {
		s.open = nil
	} else {
		done = nil
	}
	s.mu.Unlock()
	if done == nil {
		return false
	}
	after := *done
	after.After = true
	return s.proxy.Tap.meet(after)
}

var (
	writing = regexp.MustCompile(`(?i)\b(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM|COPY)\s+"?([a-z_]+)"?`)
	locking = regexp.MustCompile(`(?i)\b(?:FOR\s+(?:NO\s+KEY\s+)?UPDATE|DO\s+UPDATE)\b`)
)

// tables names those that a statement writes.
func tables(sql string) (names []string) {
	for _, found := range writing.FindAllStringSubmatch(locking.ReplaceAllString(sql, ""), -1) {
		names = append(names, strings.ToLower(found[1]))
	}
	return names
}

// startup passes on the first message, which has no kind.
func startup(in *bufio.Reader, out *bufio.Writer) error {
	head, err := in.Peek(4)
	if err != nil {
		return err
	}
	length := binary.BigEndian.Uint32(head)
	if length < 8 || length > 1<<16 {
		return errors.New("no Postgres client")
	}
	if _, err := io.CopyN(out, in, int64(length)); err != nil {
		return err
	}
	return out.Flush()
}

func message(in *bufio.Reader) (kind byte, body []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return 0, nil, err
	}
	length := binary.BigEndian.Uint32(head[1:])
	if length < 4 || length > 1<<30 {
		return 0, nil, errors.New("no Postgres message")
	}
	body = make([]byte, length-4)
	_, err = io.ReadFull(in, body)
	return head[0], body, err
}

func send(out *bufio.Writer, kind byte, body []byte) error {
	var head [5]byte
	head[0] = kind
	binary.BigEndian.PutUint32(head[1:], uint32(len(body)+4))
	if _, err := out.Write(head[:]); err != nil {
		return err
	}
	_, err := out.Write(body)
	return err
}

// text reads a string that ends with a zero byte.
func text(b []byte) (string, []byte) {
	end := bytes.IndexByte(b, 0)
	if end < 0 {
		return string(b), nil
	}
	return string(b[:end]), b[end+1:]
}
