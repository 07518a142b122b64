package exact

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/prove/control"
	"scrip.dev/scrip/prove/proof"
	"scrip.dev/scrip/store"
)

// step is one thing that somebody does with a coupon's codes, and what came of it.
type step struct {
	what     string // redeem, undo, apply or look
	order    int
	contact  int
	discount int
	refused  store.Reason // redeem
	news     bool         // undo, apply: there was something to do
	uses     int          // look
	spent    int
}

func (s step) String() string {
	return fmt.Sprintf("%s order %d contact %d discount %d: refused %q news %v uses %d spent %d", s.what, s.order, s.contact, s.discount, s.refused, s.news, s.uses, s.spent)
}

// purchase is a redemption in an order.
type purchase struct {
	contact, discount int
	undone            bool
}

// till is what the steps leave: a few lines that say what redeeming means.
type till struct {
	orders  map[int]purchase
	applied bool // a code for one use: somebody put it into a cart
}

// terms are a coupon's limits.
type terms struct {
	single                   bool // one code for one use, instead of a shared one
	uses, perContact, budget int
}

func (t till) sums(contact int) (uses, ofContact, spent int) {
	for _, p := range t.orders {
		if p.undone {
			continue
		}
		uses++
		spent += p.discount
		if p.contact == contact {
			ofContact++
		}
	}
	return uses, ofContact, spent
}

func (t till) with(order int, p purchase) till {
	t.orders = maps.Clone(t.orders)
	t.orders[order] = p
	return t
}

func (t till) redeem(by terms, s step) (refused store.Reason, then till) {
	if p, known := t.orders[s.order]; known && !p.undone {
		return "", t
	}
	uses, ofContact, spent := t.sums(s.contact)
	switch {
	case by.single && uses > 0:
		return store.ReasonUsed, t
	case ofContact >= by.perContact:
		return store.ReasonPerContact, t
	case uses >= by.uses:
		return store.ReasonLimitReached, t
	case spent >= by.budget || spent+s.discount > by.budget:
		return store.ReasonBudget, t
	}
	return "", t.with(s.order, purchase{contact: s.contact, discount: s.discount})
}

func (by terms) model() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return till{orders: map[int]purchase{}} },
		Step: func(state, input, _ any) (bool, any) {
			t, s := state.(till), input.(step)
			uses, _, spent := t.sums(0)
			switch s.what {
			case "redeem":
				refused, then := t.redeem(by, s)
				return refused == s.refused, then
			case "undo":
				p, known := t.orders[s.order]
				if known && !p.undone {
					p.undone = true
					return s.news, t.with(s.order, p)
				}
				return !s.news, t
			case "apply": // a shared code's holders are told apart elsewhere
				news := by.single && !t.applied && uses == 0
				t.applied = t.applied || news
				return s.news == news, t
			}
			return s.uses == uses && s.spent == spent, t
		},
		Equal: func(a, b any) bool {
			return a.(till).applied == b.(till).applied && maps.Equal(a.(till).orders, b.(till).orders)
		},
	}
}

func TestPromise3_UsesAgreeWithTheirModelInWhateverOrderTheyMeet(t *testing.T) {
	s := newShop(t)
	s.journeys(3)
	stores := []*store.Store{s.Store, s.open()}
	require.NoError(t, flag.Set("rapid.checks", strconv.Itoa(proof.Size(40, 2_000))))
	rounds, steps := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		rounds++
		by := terms{single: rapid.Bool().Draw(rt, "single"), uses: rapid.IntRange(1, 5).Draw(rt, "uses"),
			perContact: rapid.IntRange(1, 3).Draw(rt, "per contact"), budget: rapid.IntRange(5, 40).Draw(rt, "budget")}
		code := s.offer(rounds, by)
		plans := rapid.SliceOfN(rapid.SliceOfN(rapid.Custom(drawStep), 1, 5), 2, 4).Draw(rt, "people")
		var history []porcupine.Operation
		var mu sync.Mutex
		var people sync.WaitGroup
		record := func(who int, st step) {
			from := time.Now()
			done, err := s.do(stores[who%2], code, rounds, st)
			op := porcupine.Operation{ClientId: who, Input: done, Output: done, Call: int64(from.Sub(began)), Return: int64(time.Since(began))}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				s.Errorf("%v: %v", st, err)
			}
			history = append(history, op)
			steps++
		}
		for who, plan := range plans {
			people.Go(func() {
				for _, st := range plan {
					record(who, st)
				}
			})
		}
		people.Wait()
		record(len(plans), step{what: "look"})
		if !porcupine.CheckOperations(by.model(), history) {
			story := ""
			for _, op := range history {
				story += fmt.Sprintf("\n[%d, %d] %v", op.Call, op.Return, op.Input)
			}
			rt.Fatalf("no order of these steps is the model's, under %+v:%s", by, story)
		}
	})
	require.False(t, t.Failed())
	proof.Found(t, proof.Finding{Promise: 3, Tried: "uses, rollbacks and applications of codes by two to four people at once, at random", Times: rounds,
		Found: fmt.Sprintf("%d steps, every history linearizable against the model of limits", steps)})
}

var began = time.Now()

func drawStep(t *rapid.T) step {
	return step{what: rapid.SampledFrom([]string{"redeem", "redeem", "redeem", "undo", "apply"}).Draw(t, "what"), order: rapid.IntRange(0, 4).Draw(t, "order"),
		contact: rapid.IntRange(0, 2).Draw(t, "contact"), discount: rapid.IntRange(1, 12).Draw(t, "discount")}
}

// offer makes a coupon with these limits and gives its code.
func (s *shop) offer(round int, by terms) (code string) {
	s.Helper()
	name, code := fmt.Sprint("offer-", round), fmt.Sprint("ALL-", round)
	limits := fmt.Sprintf("limits: {total: %d, per_contact: %d, budget: %d}\n", by.uses, by.perContact, by.budget)
	if !by.single {
		s.apply("coupon: " + name + "\ndiscount: {percentage: 10}\ncodes: {shared: " + code + "}\n" + limits)
		return code
	}
	s.apply("coupon: " + name + "\ndiscount: {percentage: 10}\ncodes: {generate: \"" + code + "-######\"}\n" + limits)
	got, err := s.Claim(s.ctx, store.Claim{Key: store.ClaimKey(journeyID(0), name, 0), Coupon: name, JourneyID: journeyID(0), ContactID: contactID(0)})
	require.NoError(s, err)
	require.NoError(s, s.Expose(s.ctx, s.Pool, got.Assignment.ID))
	return got.Assignment.Code
}

// do takes one step and fills in what came of it.
func (s *shop) do(as *store.Store, code string, round int, st step) (step, error) {
	order := fmt.Sprintf("%d-%d", round, st.order)
	switch st.what {
	case "redeem":
		_, err := as.Redeem(s.ctx, store.Use{Code: code, ContactID: contactID(st.contact), Source: "api",
			Order: &event.Order{ID: order, Total: decimal.NewFromInt(100), Discount: decimal.NewFromInt(int64(st.discount))}})
		var refused *store.Refused
		if errors.As(err, &refused) {
			st.refused, err = refused.Reason, nil
		}
		return st, err
	case "undo":
		undone, err := as.Unredeem(s.ctx, store.RollBackRequest{OrderKey: order})
		st.news = len(undone) == 1
		return st, err
	case "apply":
		news, err := as.CodeApplied(s.ctx, as.Pool, "", code, contactID(st.contact), time.Now())
		st.news = len(news) == 1
		return st, err
	}
	stats, err := as.CouponStats(s.ctx, fmt.Sprint("offer-", round))
	st.uses, st.spent = int(stats.Uses), int(stats.Spent.IntPart())
	return st, err
}

func TestControl_AContactsUsesAreCounted(t *testing.T) {
	control.Miss(t, control.Safeguard{
		Name: "the limit of one contact", File: "store/redeem_reason.go",
		Old: "st.contactUses >= limits.perContact", New: "st.contactUses > limits.perContact",
		Package: "./prove/exact", Proof: "TestPromise3_UsesAgreeWithTheirModelInWhateverOrderTheyMeet", Says: "no order of these steps is the model's",
		Env: short(""),
	})
}
