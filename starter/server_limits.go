package starter

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"time"
)

// Limits bound what one caller can take of the server, so that the others are
// answered. Zero fields are the defaults.
type Limits struct {
	Header time.Duration // in which a request's headers have to be there; default 10 s
	Idle   time.Duration // that a connection is kept without a request; default 2 min
	// Body is how long may be waited for a body altogether, and BodyRate, in bytes
	// a second, how fast it has to come beyond that: default 30 s and 16 KiB/s. A
	// large import may take its time as long as it comes.
	Body     time.Duration
	BodyRate int64
	// Write is how long a part of an answer may stay unread; default 30 s.
	Write time.Duration
	// Connections is how many are open at once; default 4096. One more closes the
	// one that has been without a request for the longest time.
	Connections int
}

func (l Limits) orDefaults() Limits {
	return Limits{
		Header: cmp.Or(l.Header, 10*time.Second), Idle: cmp.Or(l.Idle, 2*time.Minute),
		Body: cmp.Or(l.Body, 30*time.Second), BodyRate: cmp.Or(l.BodyRate, 16<<10),
		Write: cmp.Or(l.Write, 30*time.Second), Connections: cmp.Or(l.Connections, 4096),
	}
}

// paced holds every request to the limits, whatever its route. A body that its
// route never reads counts too: the server reads it before the next request.
func paced(next http.Handler, limits Limits) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		answer := &pacedAnswer{w, control, limits.Write}
		answer.extend() // past the last answer's on the same connection
		if r.Body != nil && r.Body != http.NoBody {
			body := &pacedBody{ReadCloser: r.Body, control: control, limits: limits}
			body.extend()
			r.Body = body
		}
		defer answer.extend() // what is still to be flushed
		next.ServeHTTP(answer, r)
	})
}

// pacedBody ends where the caller doesn't send. Only the time in which the caller
// is waited for counts, not what is done with what came.
type pacedBody struct {
	io.ReadCloser
	control *http.ResponseController
	limits  Limits
	waited  time.Duration
	read    int64
}

func (b *pacedBody) extend() {
	earned := time.Duration(float64(b.read) / float64(b.limits.BodyRate) * float64(time.Second))
	_ = b.control.SetReadDeadline(time.Now().Add(b.limits.Body + earned - b.waited))
}

func (b *pacedBody) Read(p []byte) (int, error) {
	b.extend()
	begun := time.Now()
	n, err := b.ReadCloser.Read(p)
	b.waited += time.Since(begun)
	b.read += int64(n)
	if errors.Is(err, io.EOF) {
		// From here on the server only listens whether the caller goes away.
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// pacedAnswer ends where the caller doesn't read.
type pacedAnswer struct {
	http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
}

func (a *pacedAnswer) extend() { _ = a.control.SetWriteDeadline(time.Now().Add(a.timeout)) }

func (a *pacedAnswer) Write(p []byte) (int, error) {
	a.extend()
	return a.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach deadlines and flushing.
func (a *pacedAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
