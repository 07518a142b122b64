package starter

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/integrations"
)

// signing is a shop that signs its keys and remembers the address it was called at.
type signing struct {
	shop
	called *url.URL
}

func (s *signing) SignsKey() bool { return true }
func (s *signing) Receive(r integrations.Request) (integrations.Receipt, error) {
	s.called = r.URL
	return s.shop.Receive(r)
}
func (s *signing) Respond(w http.ResponseWriter, _ integrations.Request) {
	_, _ = io.WriteString(w, "<Response/>")
}

func newHooks(t *testing.T) (*world, *httptest.Server, *signing) {
	t.Helper()
	w := newWorld(t)
	inbox := NewInbox(w.store, NewInboxMetrics(nil))
	t.Cleanup(inbox.Close)
	public, err := url.Parse("https://scrip.example.com/base")
	require.NoError(t, err)
	signed := &signing{}
	h := &Hooks{Inbox: inbox, Sources: sources{"shop": shop{}, "signed": signed}, PublicURL: public, MaxBody: 1000,
		Metrics: NewInboxMetrics(nil), Log: slog.New(slog.DiscardHandler), Now: time.Now}
	mux := http.NewServeMux()
	for pattern, handler := range h.Mounts() {
		mux.Handle(pattern, handler)
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return w, server, signed
}

func post(t *testing.T, address, secret, key, body string) (status int, code, text string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("X-Secret", secret)
	request.Header.Set("X-Key", key)
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	var p Problem
	_ = json.Unmarshal(raw, &p)
	return answer.StatusCode, p.Code, string(raw)
}

func TestHooks_StoreAWebhookOnceHoweverOftenItIsSent(t *testing.T) {
	t.Parallel()
	w, server, _ := newHooks(t)
	for range 5 {
		status, _, _ := post(t, server.URL+"/hooks/shop/carts", "right", "k1", "{}")
		require.Equal(t, http.StatusOK, status)
	}
	status, _, _ := post(t, server.URL+"/hooks/shop/carts", "right", "k2", "{}")
	require.Equal(t, http.StatusOK, status, "a replay under a key that nobody signed is answered, and not stored")
	require.Equal(t, 1, one[int](w, `SELECT count(*) FROM delivery`))
	require.Equal(t, 1, one[int](w, `SELECT count(*) FROM delivery_queue`))
	require.Equal(t, "carts", one[string](w, `SELECT topic FROM delivery`))

	w.exec(`UPDATE delivery_body SET received_at = now() - interval '8 days'`)
	post(t, server.URL+"/hooks/shop/carts", "right", "k3", "{}")
	require.Equal(t, 2, one[int](w, `SELECT count(*) FROM delivery`))
}

func TestHooks_TrustASignedKey(t *testing.T) {
	t.Parallel()
	w, server, signed := newHooks(t)
	for _, key := range []string{"a", "b", "b"} {
		status, _, text := post(t, server.URL+"/hooks/signed/x%2Fy?z=1", "right", key, "{}")
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, "<Response/>", text)
	}
	require.Equal(t, 2, one[int](w, `SELECT count(*) FROM delivery`))
	require.Equal(t, "https://scrip.example.com/base/hooks/signed/x%2Fy?z=1", signed.called.String())
}

func TestHooks_SayWhatIsWrongAndStoreNothing(t *testing.T) {
	t.Parallel()
	w, server, _ := newHooks(t)
	for _, c := range []struct {
		path, secret, body string
		status             int
		code               string
	}{
		{"/hooks/nobody", "right", "{}", http.StatusNotFound, "unknown_connection"},
		{"/hooks/shop", "wrong", "{}", http.StatusUnauthorized, "bad_signature"},
		{"/hooks/shop", "right", strings.Repeat("x", 1001), http.StatusRequestEntityTooLarge, "body_too_large"},
	} {
		status, code, text := post(t, server.URL+c.path, c.secret, "k", c.body)
		require.Equal(t, c.status, status)
		require.Equal(t, c.code, code)
		require.NotContains(t, text, "xxx")
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.URL+"/hooks/shop", nil)
	require.NoError(t, err)
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusMethodNotAllowed, answer.StatusCode)
	require.Zero(t, one[int](w, `SELECT count(*) FROM delivery`))
}

func TestHooks_AnswerThoseWhoCheckTheAddress(t *testing.T) {
	t.Parallel()
	_, server, _ := newHooks(t)
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		request, err := http.NewRequestWithContext(t.Context(), method, server.URL+"/hooks/shop", nil)
		require.NoError(t, err)
		answer, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, http.StatusOK, answer.StatusCode)
	}
}

func TestHooks_AskTheVendorToComeAgainWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	w, server, _ := newHooks(t)
	w.store.Pool.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/hooks/shop", strings.NewReader("{}"))
	require.NoError(t, err)
	request.Header.Set("X-Secret", "right")
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusServiceUnavailable, answer.StatusCode)
	require.NotEmpty(t, answer.Header.Get("Retry-After"))
}

func TestHooks_KeepBodiesAndKeysThatPostgresTextsCannot(t *testing.T) {
	t.Parallel()
	w, server, _ := newHooks(t)
	body := "{\"a\":\"\\u0000\",\"n\":1e400000}\x00\xff"
	status, _, _ := post(t, server.URL+"/hooks/shop/a%00b", "right", strings.Repeat("k", 5000), body)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, []byte(body), one[[]byte](w, `SELECT body FROM delivery`))
}

func TestInbox_StoresTheOthersOfAGroupInWhichOneIsPoison(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	inbox := NewInbox(w.store, NewInboxMetrics(nil))
	t.Cleanup(inbox.Close)
	var group []*arrival
	for i := range 5 {
		a := &arrival{done: make(chan struct{})}
		a.in.Connection, a.in.Topic, a.in.Key, a.in.Body = "shop", "t", fmt.Sprint(i), []byte("{}")
		group = append(group, a)
	}
	group[2].in.Topic = "bad\x00topic"
	inbox.storeGroup(group)
	for i, a := range group {
		<-a.done
		require.Equal(t, i == 2, a.err != nil, a.err)
	}
	require.Equal(t, 4, one[int](w, `SELECT count(*) FROM delivery_queue`))
}
