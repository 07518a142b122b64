package bench

import (
	"context"
	"fmt"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/dev/sandbox"
	"scrip.dev/scrip/store"
)

// carts is the journey that is measured: a cart's webhook starts it, it assigns a
// code and sends it, waits, and a redemption ends it.
var carts = map[string]string{
	"templates/offer/email.html": "---\nsubject: Your code\nlayout: none\n---\n<p>Your code is {{ code }}.</p>\n",
	"campaigns/carts.yaml": `
campaign: carts
trigger: {event: checkout.updated}
entry: {key: event.checkout_token}
steps:
  - send: {email: offer, coupon: cart, kind: transactional}
  - await: [{after: 48h}]
---
coupon: cart
discount: {percentage: 10}
codes: {list: true}
valid_for: 7d
`}

var codeInMail = regexp.MustCompile(`CART-\d+`)

// stands is how long after its last step a workflow is signalled, so that its timer
// stands; by far the most that a workflow task takes.
const stands = time.Second

// shopper walks through one journey.
func (s *site) shopper(ctx context.Context, n int64) error {
	address := fmt.Sprintf("shopper-%d@example.com", n)
	received := make(chan mail, 1)
	s.mails.Store(address, received)
	checkout := cartOf(address)
	if err := s.post("checkouts/update", sandbox.CheckoutBody(checkout)); err != nil {
		return err
	}
	var sent mail
	select {
	case sent = <-received:
	case <-ctx.Done():
		return ctx.Err()
	}
	time.Sleep(stands)
	checkout.Code, checkout.Terms = codeInMail.FindString(sent.text), sandbox.Terms{Percentage: decimal.NewFromInt(10)}
	if err := s.post("orders/create", sandbox.OrderBody(sandbox.NewOrder(checkout, int(n), time.Now().UTC()))); err != nil {
		return err
	}
	return wait(ctx, s.ended(sent.message))
}

// cartOf is the cart that somebody left.
func cartOf(address string) sandbox.Checkout {
	checkout := sandbox.NewCheckout("https://shop.example.com", time.Now().UTC())
	checkout.Customer = sandbox.Customer{Email: address, FirstName: "Anna", AcceptsEmail: true}
	checkout.Lines = []sandbox.Line{{ProductID: 1, SKU: "C-1", Title: "Coffee", Quantity: 3, Price: decimal.NewFromInt(30)}}
	return checkout
}

// ends tells people when the journeys of their mails have ended: all are asked for
// in one statement, ten times a second.
type ends struct {
	sync.Mutex
	waiting map[string]chan struct{} // by the message
}

func (s *site) ended(message string) <-chan struct{} {
	there := make(chan struct{})
	s.ends.Lock()
	defer s.ends.Unlock()
	s.ends.waiting[message] = there
	return there
}

func (s *site) watchEnds() {
	s.ends.waiting = map[string]chan struct{}{}
	ctx, stop := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() {
		for ctx.Err() == nil {
			time.Sleep(100 * time.Millisecond)
			if err := s.ends.look(ctx, s.Store); err != nil && ctx.Err() == nil {
				s.Errorf("looking for the journeys that ended: %v", err)
				return
			}
		}
	})
	s.Cleanup(func() { stop(); watching.Wait() })
}

func (e *ends) look(ctx context.Context, in *store.Store) error {
	e.Lock()
	var messages []string
	for message := range e.waiting {
		messages = append(messages, message)
	}
	e.Unlock()
	if len(messages) == 0 {
		return nil
	}
	rows, err := in.Pool.Query(ctx, `SELECT m.id FROM message m JOIN journey j ON j.id = m.journey_id WHERE m.id = ANY ($1) AND j.state = 'ended'`, messages)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var message string
		if err := rows.Scan(&message); err != nil {
			return err
		}
		e.Lock()
		close(e.waiting[message])
		delete(e.waiting, message)
		e.Unlock()
	}
	return rows.Err()
}

// flow is so many at once of one kind, each followed by the next.
type flow struct {
	perSecond float64
	cpu       []time.Duration // of each, in the parts that serve it
}

func (f flow) milliseconds() (ms float64) {
	for _, part := range f.cpu {
		ms += part.Seconds() * 1000
	}
	return ms
}

// part is a process that serves a flow.
type part struct {
	name string
	pid  int
}

const (
	inFlight = 64
	settling = 10 * time.Second // until the numbers at once are those of the window
)

// flow keeps inFlight of them under way, and counts those that end within the window.
func (s *site) flow(one func(context.Context, int64) error, next *atomic.Int64, parts ...part) flow {
	s.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var done atomic.Int64
	var working sync.WaitGroup
	for range inFlight {
		working.Go(func() {
			for ctx.Err() == nil {
				switch err := one(ctx, next.Add(1)); {
				case err == nil:
					done.Add(1)
				case ctx.Err() == nil:
					s.Errorf("one of the flow: %v", err)
					return
				}
			}
		})
	}
	time.Sleep(settling)
	s.resetStatements()
	spent := make([]time.Duration, len(parts))
	for i, part := range parts {
		spent[i] = -cpu(s, part.pid)
	}
	began, before := time.Now(), done.Load()
	time.Sleep(*window)
	took, n := time.Since(began), done.Load()-before
	for i, part := range parts {
		spent[i] = (spent[i] + cpu(s, part.pid)) / time.Duration(n)
	}
	stop()
	s.tellStatements(n)
	working.Wait()
	require.False(s, s.Failed())
	f := flow{float64(n) / took.Seconds(), spent}
	for i, part := range parts {
		tell("%s: %.1f ms each", part.name, spent[i].Seconds()*1000)
	}
	return f
}

// BenchmarkJourney holds journeys against bare workflows.
func BenchmarkJourney(b *testing.B) {
	s := openServed(b, carts)
	fill(s, s.Store, "cart", 1_000_000, 0)
	s.watchEnds()
	bare := s.openBare()
	serving := func(more ...part) []part {
		return append([]part{{"postgres", s.postgresPID}, {"temporal", s.server.PID()}}, more...)
	}
	var next atomic.Int64
	var rates, limits, costs, bareCosts []float64
	for round := range *rounds {
		both := make([]flow, 2)
		for i := range both {
			if i = (i + round) % 2; i == 0 {
				both[0] = s.flow(s.shopper, &next, serving(part{"scrip", s.starter.PID()})...)
			} else {
				both[1] = s.flow(bare.one, &next, serving(part{"bare worker", bare.pid})...)
			}
		}
		journey, limit := both[0], both[1]
		tell("round %d: journeys %.1f a second, %.1f ms each; bare %.1f a second, %.1f ms each", round+1, journey.perSecond, journey.milliseconds(), limit.perSecond, limit.milliseconds())
		rates, limits = append(rates, journey.perSecond), append(limits, limit.perSecond)
		costs, bareCosts = append(costs, journey.milliseconds()), append(bareCosts, limit.milliseconds())
	}
	const against = "scrip serve; hook, code, mail through sendgrid-go, delivery webhook, wait, redemption hook, end; a bare workflow of two no-op activities, a timer and a signal, with the SDK's settings"
	cost := ofRounds(Result{Name: "journey_cpu", Unit: "ms", Goal: "bare workflows cost ≥ 1.2 as much", Note: "processor time of Postgres, Temporal and scrip serve for one; the ratio is bare to journey"}, bareCosts, costs, atLeast(1.2))
	cost.Value, cost.Limit = cost.Limit, cost.Value
	write(b, ofRounds(Result{Name: "journey", Unit: "journeys/s", Goal: "≥ 1.2 of bare workflows", Note: against}, rates, limits, atLeast(1.2)), cost)
}
