package sandbox

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"time"
)

// failing wraps the requests of a vendor that change something.
func (s *Sandbox) failing(vendor string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s.tooMany(w, vendor) {
			return
		}
		s.fail(w, r, vendor, meetsRequests, next)
	}
}

// failingLookup wraps the requests of a vendor that only read.
func (s *Sandbox) failingLookup(vendor string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { s.fail(w, r, vendor, meetsLookups, next) }
}

// fail answers in the way of the fault that meets the request, if there is one.
func (s *Sandbox) fail(w http.ResponseWriter, r *http.Request, vendor string, what meets, next http.HandlerFunc) {
	f, ok := s.faults.next(vendor, what)
	if !ok {
		next(w, r)
		return
	}
	s.watchers.notify()
	answer := newAnswer()
	if f.Accept || f.Kind == FaultTruncated || f.Kind == FaultTwice || f.Kind == FaultDoubled {
		next(answer, r)
	}
	switch f.Kind {
	case FaultTimeout:
		select {
		case <-r.Context().Done():
		case <-s.ctx.Done():
		}
		panic(http.ErrAbortHandler)
	case FaultReset:
		panic(http.ErrAbortHandler)
	case FaultThrottled:
		throttled(w)
	case FaultTruncated:
		// Promising more bytes than come makes net/http close the connection.
		w.Header().Set("Content-Length", strconv.Itoa(answer.body.Len()+1024))
		w.WriteHeader(answer.status)
		_, _ = w.Write(answer.body.Bytes()[:answer.body.Len()/2])
		panic(http.ErrAbortHandler)
	case FaultTwice:
		s.answerTwice(w, r, answer)
	case FaultDoubled:
		answer.body.Write(bytes.Clone(answer.body.Bytes()))
		answer.copyTo(w)
	case FaultHTML:
		html(w, f, answer)
	default:
		s.refuse(w, vendor, f)
	}
}

// html is what a proxy, a firewall or a page for logging in answers in the
// vendor's place.
func html(w http.ResponseWriter, f Fault, answer *answer) {
	status := answer.status
	if f.Status != 0 {
		status = f.Status
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<!doctype html><title>Welcome</title><p>Your request has been received.</p>")
}

// answerTwice writes the whole answer two times, and goes on with the connection:
// what is answered to the next request on it comes after the second one.
func (s *Sandbox) answerTwice(w http.ResponseWriter, r *http.Request, answer *answer) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		answer.copyTo(w) // not every way to listen can
		return
	}
	defer conn.Close()
	defer context.AfterFunc(s.ctx, func() { _ = conn.Close() })()
	for range 2 {
		if answer.writeTo(rw.Writer, r) != nil {
			return
		}
	}
	for rw.Flush() == nil {
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		again, err := http.ReadRequest(rw.Reader)
		if err != nil {
			return
		}
		next := newAnswer()
		s.ServeHTTP(next, again.WithContext(s.ctx))
		_, _ = io.Copy(io.Discard, again.Body)
		if next.writeTo(rw.Writer, again) != nil {
			return
		}
	}
}

// refuse answers as the vendor words its refusals.
func (s *Sandbox) refuse(w http.ResponseWriter, vendor string, f Fault) {
	status := f.Status
	if status == 0 {
		status = http.StatusInternalServerError
	}
	if f.RetryAfter > 0 {
		after := strconv.Itoa(f.RetryAfter)
		if f.RetryDate {
			after = s.o.Now().Add(time.Duration(f.RetryAfter) * time.Second).UTC().Format(http.TimeFormat)
		}
		w.Header().Set("Retry-After", after)
	}
	text := http.StatusText(status)
	switch vendor {
	case vendorTwilio:
		code := 20000 + status // Twilio counts the HTTP statuses so: 20429, 20503
		writeJSON(w, status, map[string]any{"code": code, "message": text, "more_info": "https://www.twilio.com/docs/errors/" + strconv.Itoa(code), "status": status})
	case vendorShopify:
		writeJSON(w, status, map[string]any{"errors": text})
	default:
		writeJSON(w, status, map[string]any{"errors": []any{map[string]any{"message": text, "field": nil, "help": nil}}})
	}
}

// answer collects what a handler says instead of sending it.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newAnswer() *answer { return &answer{header: http.Header{}, status: http.StatusOK} }

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

func (a *answer) copyTo(w http.ResponseWriter) {
	for key, values := range a.header {
		w.Header()[key] = values
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body.Bytes())
}

// writeTo writes the answer to a request as HTTP has it.
func (a *answer) writeTo(w *bufio.Writer, r *http.Request) error {
	response := http.Response{
		StatusCode: a.status, ProtoMajor: 1, ProtoMinor: 1, Request: r, Header: a.header,
		ContentLength: int64(a.body.Len()), Body: io.NopCloser(bytes.NewReader(a.body.Bytes())),
	}
	return response.Write(w)
}
