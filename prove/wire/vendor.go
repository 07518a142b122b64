package wire

import (
	"bytes"
	"maps"
	"net/http"
	"strings"
)

// VendorProxy passes a process's requests on to the vendors. Its moments are the
// requests that change something there.
func VendorProxy(process string, tap *Tap, vendors http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			vendors.ServeHTTP(w, r)
			return
		}
		m := tap.count(process, Vendor, place(r.URL.Path))
		if tap.meet(m) {
			panic(http.ErrAbortHandler)
		}
		answer := &answer{header: http.Header{}, status: http.StatusOK}
		vendors.ServeHTTP(answer, r)
		m.After = true
		if answer.status >= http.StatusBadRequest { // what follows is another way
			m.Does += " refused"
		}
		if tap.meet(m) {
			panic(http.ErrAbortHandler)
		}
		maps.Copy(w.Header(), answer.header)
		w.WriteHeader(answer.status)
		_, _ = w.Write(answer.body.Bytes())
	})
}

// place is the vendor and the last part of an address: the middle may be an
// account's.
func place(address string) string {
	_, below, _ := strings.Cut(address, "/api/")
	vendor, rest, _ := strings.Cut(below, "/")
	return vendor + "/" + rest[strings.LastIndexByte(rest, '/')+1:]
}

// answer keeps what a vendor answers until it may go out.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }
