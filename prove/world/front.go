package world

import (
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
)

// front is the address that callers know: it passes each request to one of the
// starters in turn, as a load balancer does. What a starter doesn't answer is
// answered 502; callers send again.
type front struct {
	address string
	world   *World
	turn    atomic.Int64
}

func newFront(t testing.TB, w *World) *front {
	f := &front{world: w}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: f.starter()})
			r.Out.Host = r.In.Host
		},
		Transport: &http.Transport{DisableKeepAlives: true},
		ErrorLog:  log.New(io.Discard, "", 0),
	}
	f.address = w.serve(t, proxy)
	return f
}

// starter picks the next one that is running.
func (f *front) starter() string {
	w := f.world
	w.mu.Lock()
	defer w.mu.Unlock()
	var running []string
	for _, name := range w.names() {
		if s := w.processes[name]; s.role != Worker && s.process != nil {
			running = append(running, s.listen)
		}
	}
	if len(running) == 0 {
		return "127.0.0.1:1" // nobody answers there
	}
	return running[int(f.turn.Add(1))%len(running)]
}
