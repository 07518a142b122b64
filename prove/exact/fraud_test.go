package exact

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/prove/proof"
)

// fraud is another system that a `call` asks. It fails in the way that the number in
// the path says, having done the work.
type fraud struct {
	address string
	mu      sync.Mutex
	asked   map[int]int // how often, by number
}

// most is how often a call is made, at most.
const most = 10

// Ways to answer, by number.
const (
	answers = iota
	breaks  // 500 after the work, once
	hangs   // no answer until the caller gives up, once
	refuses // 400
	waits   // 429 with Retry-After, once
	away    // 503 for as long as it is asked
)

// wayOf says how a number is answered. Being away for ten attempts takes minutes.
func wayOf(no int) int {
	if no == 5 && proof.Full() {
		return away
	}
	return no % 5
}

func newFraud(t *testing.T) *fraud {
	f := &fraud{asked: map[int]int{}}
	gone := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		no, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		f.mu.Lock()
		f.asked[no]++
		first := f.asked[no] == 1
		f.mu.Unlock()
		switch way := wayOf(no); {
		case way == refuses:
			w.WriteHeader(http.StatusBadRequest)
		case way == away:
			w.WriteHeader(http.StatusServiceUnavailable)
		case way == breaks && first:
			w.WriteHeader(http.StatusInternalServerError)
		case way == waits && first:
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		case way == hangs && first:
			select {
			case <-r.Context().Done():
			case <-gone:
			}
		default:
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, `{"no": %d}`, no)
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(gone) })
	f.address = server.URL
	return f
}

func (f *fraud) requests() (all int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range f.asked {
		all += n
	}
	return all
}

// check asks what each call came to: a call is repeated where its answer doesn't come
// or says "later", ten times at most, and not where it was refused; it has one
// result, and the answer is the one to its own request.
func (f *fraud) check(l *line, people int) {
	l.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for no := range people {
		asked := map[int]int{answers: 1, breaks: 2, hangs: 2, refuses: 1, waits: 2, away: most}[wayOf(no)]
		require.Equal(l, asked, f.asked[no], "requests of call %d", no)
		result := fmt.Sprintf(`done  {"no": %d}`, no)
		switch wayOf(no) {
		case refuses, away:
			result = "failed vendor_refused "
		}
		require.Equal(l, []string{result}, l.list(`SELECT r.status || ' ' || r.reason || ' ' || coalesce(r.json::text, '') FROM step_result r
			JOIN journey j ON j.id = r.journey_id JOIN identity i ON i.contact_id = j.contact_id WHERE r.step = 'call_fraud' AND i.value_norm = $1`, voucherAddress(no)))
	}
}
