package integrations

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"time"
)

const (
	// callTimeout ends every call well before the activity that makes it.
	callTimeout = 20 * time.Second
	// maxAnswer is how much of a vendor's answer is ever read.
	maxAnswer = 4 << 20
	// idleFor is shorter than what servers keep idle connections for: a call that
	// is written into a connection the server has just closed has no known outcome.
	idleFor = 20 * time.Second
)

// HTTPOptions shape a connection's client; the zero value is right for vendors.
type HTTPOptions struct {
	Timeout time.Duration // of a whole call; default 20 s
	// PublicOnly refuses private, loopback and link-local addresses when
	// dialling, after names are resolved; for addresses that users write.
	PublicOnly bool
	// Wrap puts tracing or metrics around the transport; may be nil.
	Wrap func(http.RoundTripper) http.RoundTripper
}

// NewHTTPClient makes the client of one connection. It never retries, follows no
// redirect to another host and none at all for what isn't a GET or HEAD, reads
// at most 4 MiB of an answer, and its errors are *TransportError, which say
// whether any of the request was written.
//
// It speaks HTTP/1.1 only: there a connection carries one request at a time, so
// what was written to it was written for this request.
func NewHTTPClient(o HTTPOptions) *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	proxy := http.ProxyFromEnvironment
	if o.PublicOnly {
		dialer.Control = refusePrivate
		proxy = nil // the proxy would do the dialling, out of the guard's sight
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	base := &http.Transport{
		Proxy:                  proxy,
		DialContext:            dialCounted(dialer),
		DialTLSContext:         dialTLSCounted(dialer),
		Protocols:              protocols,
		TLSHandshakeTimeout:    10 * time.Second,
		IdleConnTimeout:        idleFor,
		MaxIdleConnsPerHost:    32,
		MaxResponseHeaderBytes: 1 << 20,
	}
	fresh := base.Clone()
	fresh.DisableKeepAlives = true
	var around http.RoundTripper = &transport{base: base, fresh: fresh}
	if o.Wrap != nil {
		around = o.Wrap(around)
	}
	timeout := o.Timeout
	if timeout == 0 {
		timeout = callTimeout
	}
	return &http.Client{Transport: around, Timeout: timeout, CheckRedirect: sameHostOnly}
}

func sameHostOnly(next *http.Request, via []*http.Request) error {
	first := via[0]
	safe := first.Method == http.MethodGet || first.Method == http.MethodHead
	if !safe || len(via) > 3 || next.URL.Scheme != first.URL.Scheme || next.URL.Host != first.URL.Host {
		return http.ErrUseLastResponse
	}
	return nil
}

type deadlineKey struct{}

// WithDeadline makes the client refuse to write a request once the wall clock
// has reached the deadline. A context's own deadline runs on the monotonic
// clock, which stands still while a machine sleeps.
func WithDeadline(ctx context.Context, deadline time.Time) context.Context {
	if deadline.IsZero() {
		return ctx
	}
	return context.WithValue(ctx, deadlineKey{}, deadline)
}

// ErrDeadline says that nothing was written, because it was too late.
var ErrDeadline = errors.New("the moment until which the request could be written has passed")

// TransportError is a call without an answer.
type TransportError struct {
	// Written says that some of the request may have reached the vendor. False is
	// certain.
	Written bool
	Err     error
}

func (e *TransportError) Error() string { return "calling: " + reasonOf(e.Err) }
func (e *TransportError) Unwrap() error { return e.Err }

// transport watches each request to know whether it was written. A request whose
// Close is set has a connection of its own.
type transport struct{ base, fresh http.RoundTripper }

func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	deadline, _ := req.Context().Value(deadlineKey{}).(time.Time)
	if passed(deadline) {
		closeBody(req)
		return nil, &TransportError{Err: ErrDeadline}
	}
	var watch *watch
	ctx := httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { watch = watchConn(info.Conn, deadline) },
	})
	sent := req.Clone(ctx)
	// Without GetBody net/http can't send a request a second time by itself.
	sent.GetBody = nil
	through := t.base
	if req.Close {
		through = t.fresh
	}
	answer, err := through.RoundTrip(sent)
	if err != nil {
		return nil, &TransportError{Written: watch.written(), Err: err}
	}
	answer.Body = &cappedBody{body: answer.Body, left: maxAnswer}
	return answer, nil
}

func passed(deadline time.Time) bool {
	return !deadline.IsZero() && !time.Now().Round(0).Before(deadline.Round(0))
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}

// ErrAnswerTooLarge says that the vendor's answer was longer than is read.
var ErrAnswerTooLarge = errors.New("the answer is too large")

// cappedBody reads at most so much, and drains a little on Close so that the
// connection can be used again.
type cappedBody struct {
	body io.ReadCloser
	left int64
}

func (b *cappedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		if n, err := b.body.Read(make([]byte, 1)); n == 0 && err != nil {
			return 0, err
		}
		return 0, ErrAnswerTooLarge
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.body.Read(p)
	b.left -= int64(n)
	return n, err
}

func (b *cappedBody) Close() error {
	_, _ = io.CopyN(io.Discard, b.body, 64<<10)
	return b.body.Close()
}

// ReadAnswer reads and closes an answer's body, at most limit bytes of it.
func ReadAnswer(answer *http.Response, limit int64) ([]byte, error) {
	defer answer.Body.Close()
	var read bytes.Buffer
	n, err := io.Copy(&read, io.LimitReader(answer.Body, limit+1))
	if err == nil && n > limit {
		err = ErrAnswerTooLarge
	}
	return read.Bytes(), err
}
