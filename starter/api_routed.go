package starter

import "net/http"

// routed answers what no route takes with a problem, like every other error.
func routed(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		// The mux tells only by its own answer whether another method would do.
		own := &unrouted{header: http.Header{}, status: http.StatusOK}
		handler.ServeHTTP(own, r)
		status := http.StatusNotFound
		if own.status == http.StatusMethodNotAllowed {
			status = own.status
		}
		known := frameworkCodes[status]
		told := problem(status, known.code, "%s", known.detail)
		if allowed := own.header.Get("Allow"); allowed != "" {
			told = told.with("Allow", allowed)
		}
		writeProblem(w, told)
	})
}

// unrouted keeps an answer's status and headers and drops its body.
type unrouted struct {
	header http.Header
	status int
}

func (u *unrouted) Header() http.Header         { return u.header }
func (u *unrouted) WriteHeader(status int)      { u.status = status }
func (u *unrouted) Write(b []byte) (int, error) { return len(b), nil }
