package starter

import (
	"net/http"
	"strings"
)

// unencoded refuses compressed bodies, so that none is inflated: some kilobytes
// can be gigabytes. Senders that Scrip knows don't compress, and a signature is
// over the bytes as they come.
func unencoded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, encoding := range r.Header.Values("Content-Encoding") {
			if !strings.EqualFold(strings.TrimSpace(encoding), "identity") {
				writeProblem(w, problem(http.StatusUnsupportedMediaType, "unsupported_encoding", "bodies are taken as they are; send it without a Content-Encoding"))
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}
