package attack_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/prove/proof"
	"scrip.dev/scrip/store"
)

// guess asks for a code by one of the routes of a checkout.
func (at *target) guess(key, route, code, forwarded string) reply {
	at.Helper()
	c := call{method: "POST", path: "/v1/codes/" + code + "/" + route, key: key, client: held, header: http.Header{}}
	switch route {
	case "validate":
		c.method = "GET"
	case "redeem":
		c.body = `{"order": {"id": "1"}}`
	case "hold", "release":
		c.body = `{"reference": "cart"}`
	}
	if forwarded != "" {
		c.header.Set("X-Forwarded-For", forwarded)
	}
	return at.do(c)
}

var checkout = []string{"validate", "redeem", "hold", "release"}

func TestGuesses_AreLimitedByAddressAndByKey(t *testing.T) {
	t.Parallel()
	at := newTarget(t, aim{settings: "trusted_proxies: [127.0.0.1, 10.0.0.0/8]\n"})
	at.furnish()
	tried := func(key string, n int, from func(i int) string) (answered int) {
		var waiting sync.WaitGroup
		var counting sync.Mutex
		for i := range n { // all at once: no time in between is no way around
			waiting.Go(func() {
				if got := at.guess(key, checkout[i%len(checkout)], fmt.Sprintf("GUESS%d", i), from(i)); got.status != http.StatusTooManyRequests {
					counting.Lock()
					answered++
					counting.Unlock()
				}
			})
		}
		waiting.Wait()
		return answered
	}
	one := tried(at.key(store.ScopeCodes), 300, func(int) string { return "203.0.113.7" })
	require.GreaterOrEqual(t, one, 30)
	require.Less(t, one, 45, "one address guessed on")
	// Another key from the same address, and spellings of the same, are no new ones.
	for _, same := range []string{"203.0.113.7", "::ffff:203.0.113.7", "198.51.100.1, 203.0.113.7", "203.0.113.7, 10.1.2.3", "junk, 203.0.113.7"} {
		require.Less(t, tried(at.key(store.ScopeCodes), 20, func(int) string { return same }), 8, same)
	}
	// A thousand addresses with one key.
	many := tried(at.key(store.ScopeCodes), 600, func(i int) string { return fmt.Sprintf("198.51.%d.%d", i/200, i%200) })
	require.GreaterOrEqual(t, many, 120)
	require.Less(t, many, 180, "one key guessed on from many addresses")
	// Who has one address of IPv6 has the whole network.
	six := tried(at.key(store.ScopeCodes), 200, func(i int) string { return fmt.Sprintf("2001:db8:1:2::%x", i) })
	require.Less(t, six, 45)
	proof.Found(t, proof.Finding{Tried: "guesses at the codes, many at once", Times: 300 + 600 + 200, Found: fmt.Sprintf("%d answered from one address, %d with one key from 600 addresses, %d from one IPv6 network", one, many, six)})
}

func TestGuesses_AStrangersHeaderIsNoAddress(t *testing.T) {
	t.Parallel()
	at := newTarget(t, aim{})
	at.furnish()
	key, answered := at.key(store.ScopeCodes), 0
	for i := range 100 {
		if at.guess(key, "validate", fmt.Sprintf("GUESS%d", i), fmt.Sprintf("203.0.113.%d", i)).status != http.StatusTooManyRequests {
			answered++
		}
	}
	require.Less(t, answered, 50, "X-Forwarded-For was believed without being configured")
}

func TestGuesses_AShopThatRedeemsManyCodesIsNotLimited(t *testing.T) {
	t.Parallel()
	at := newTarget(t, aim{})
	at.furnish()
	key := at.key(store.ScopeCodes)
	n := proof.Size(300, 3000)
	var all strings.Builder
	for i := range n {
		fmt.Fprintf(&all, "REAL%d\n", i)
	}
	at.ok("POST", "/v1/apply", `{"files": {"coupons/many.yaml": "coupon: many\ndiscount: {percentage: 10}\ncodes: {list: true}\n"}}`)
	at.ok("POST", "/v1/coupons/many/codes", all.String(), "Content-Type", "text/plain")
	var waiting sync.WaitGroup
	busy := make(chan struct{}, 100)
	for range n {
		busy <- struct{}{}
		waiting.Go(func() {
			defer func() { <-busy }()
			given := at.do(call{method: "POST", path: "/v1/coupons/many/assign", key: key, body: "{}", client: held})
			if got := at.guess(key, "redeem", given.field(at, "code"), ""); got.status != http.StatusCreated {
				at.Errorf("a code that exists was refused: %s", got.body)
			}
		})
	}
	waiting.Wait()
	proof.Found(t, proof.Finding{Tried: "redemptions of codes that exist, a hundred at a time with one key", Times: n, Found: "none limited"})
}

// statements counts what is sent to the database.
type statements struct {
	sync.Mutex
	all []string
}

func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	s.Lock()
	defer s.Unlock()
	s.all = append(s.all, data.SQL)
	return ctx
}

func (s *statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (s *statements) taken() []string {
	s.Lock()
	defer s.Unlock()
	taken := s.all
	s.all = nil
	return taken
}

func TestGuesses_ACodeThatIsNotYoursIsLikeNone(t *testing.T) {
	t.Parallel()
	at := newTarget(t, aim{settings: "trusted_proxies: [127.0.0.1]\n"})
	at.furnish()
	at.ownCodes()
	at.exec(`UPDATE code SET realm = 'shop2' WHERE code = 'A4'`) // given to somebody, in another shop
	at.exec(`INSERT INTO assignment (claim_key, coupon_id, batch_id, pos, state) SELECT 'other', b.coupon_id, c.batch_id, c.pos, 'exposed' FROM code c JOIN batch b ON b.id = c.batch_id WHERE c.code = 'A4'`)
	seen := &statements{}
	traced, err := pgxpool.ParseConfig(at.store.Pool.Config().ConnString())
	require.NoError(t, err)
	traced.ConnConfig.Tracer = seen
	pool, err := pgxpool.NewWithConfig(t.Context(), traced)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	untraced := at.store.Pool
	at.store.Pool = pool // the starter asks through it from here on
	t.Cleanup(func() { at.store.Pool = untraced })
	key := at.key(store.ScopeCodes)
	same := func(from, who string, codes ...string) { // the first of them doesn't exist
		for _, route := range checkout {
			ask := func(code string) call {
				c := call{method: "POST", path: "/v1/codes/" + code + "/" + route + "?shop=shop", key: key, client: held, header: http.Header{"X-Forwarded-For": {from}}}
				named := ""
				if who != "" {
					named = `, "email": "` + who + `"`
				}
				switch route {
				case "validate":
					c.method, c.path = "GET", c.path+"&email="+url.QueryEscape(who)
				case "redeem":
					c.body = `{"order": {"id": "1"}` + named + `}`
				case "hold":
					c.body = `{"reference": "cart"` + named + `}`
				default:
					c.body = `{"reference": "cart"}`
				}
				return c
			}
			at.do(ask("WARM"))
			var first reply
			var path []string
			for i, code := range codes {
				seen.taken()
				got := at.do(ask(code))
				got.header.Del("X-Request-Id")
				got.header.Del("Date")
				if i == 0 {
					first, path = got, seen.taken()
					require.NotEmpty(t, path)
					require.Contains(t, first.body, "not_found")
					continue
				}
				require.Equal(t, first.status, got.status, "%s of %s: another answer than for a code that doesn't exist", route, code)
				require.Equal(t, first.header, got.header, "%s of %s", route, code)
				require.Equal(t, strings.ReplaceAll(first.body, codes[0], code), got.body, "%s of %s", route, code)
				require.Equal(t, path, seen.taken(), "%s of %s: other statements than for a code that doesn't exist", route, code)
			}
			t.Logf("%s: %d statements each", route, len(path))
		}
	}
	same("203.0.113.1", "", "NEVER9", "A5", "A4")                                      // given to nobody, and another shop's
	same("203.0.113.2", "", "NEVER9", "MINE1", "MINE2", "MINE3")                       // somebody's alone: as it is, used, expired
	same("203.0.113.3", "stranger@example.com", "NEVER9", "MINE1", "MINE2", "MINE3")   // asked for by somebody else
	same("203.0.113.4", "unheard-of@example.com", "NEVER9", "MINE1", "MINE2", "MINE3") // and by nobody that is known
	owner := "/v1/codes/%s/validate?email=owner%%40example.com"
	for code, want := range map[string]string{"MINE1": `"valid":true`, "MINE2": `"reason":"used"`, "MINE3": `"reason":"expired"`} {
		require.Contains(t, at.do(call{method: "GET", path: fmt.Sprintf(owner, code), key: at.key(store.ScopeCodes), client: held}).body, want, "its holder is told")
	}
	require.Contains(t, at.do(call{method: "GET", path: "/v1/codes/MINE1", key: at.admin}).body, "MINE1", "an operator is told")
}

func TestGuesses_AtCodesOfOthersCostAMiss(t *testing.T) {
	t.Parallel()
	at := newTarget(t, aim{})
	at.furnish()
	at.ownCodes()
	key, answered := at.key(store.ScopeCodes), 0
	for i := range 100 {
		c := call{method: "GET", path: fmt.Sprintf("/v1/codes/MINE%d/validate?email=stranger%%40example.com", i%3+1), key: key, client: held}
		if at.do(c).status != http.StatusTooManyRequests {
			answered++
		}
	}
	require.GreaterOrEqual(t, answered, 30)
	require.Less(t, answered, 50, "codes of others are tried out without a limit")
}

// ownCodes gives somebody three codes that nobody else may use: one as it is, one
// that is used, one that has expired. Somebody else holds another one.
func (at *target) ownCodes() {
	at.Helper()
	at.ok("POST", "/v1/apply", `{"files": {"coupons/mine.yaml": "coupon: mine\ndiscount: {percentage: 10}\ncodes: {list: true}\nvalid_for: 7d\nredeemable_by: holder\n"}}`)
	at.ok("POST", "/v1/coupons/mine/codes", "MINE1\nMINE2\nMINE3\nMINE4\n", "Content-Type", "text/plain")
	for i, who := range []string{"owner", "owner", "owner", "stranger"} {
		given := at.ok("POST", "/v1/coupons/mine/assign", fmt.Sprintf(`{"email": "%s@example.com", "key": "%d"}`, who, i))
		require.Equal(at, fmt.Sprintf("MINE%d", i+1), given.field(at, "code"))
	}
	at.ok("POST", "/v1/codes/MINE2/redeem", `{"order": {"id": "77"}, "email": "owner@example.com"}`)
	at.exec(`UPDATE assignment a SET expires_at = now() - interval '1 day' FROM code c WHERE c.code = 'MINE3' AND a.batch_id = c.batch_id AND a.pos = c.pos`)
}
