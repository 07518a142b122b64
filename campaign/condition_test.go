package campaign_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/campaign"
)

func condition(t testing.TB, src string, scope campaign.Scope) *campaign.Condition {
	t.Helper()
	c, problems := campaign.CompileCondition(src, scope, campaign.Pos{File: "f", Line: 1, Column: 1})
	require.Empty(t, problems, "%s", problems.Error())
	return c
}

func TestCondition_Holds(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 9, 21, 10, 0, 0, 0, time.UTC)
	data := campaign.Data{
		Contact: map[string]any{"id": "c1", "tags": []string{"gold"}, "last_order_at": now.AddDate(0, 0, -40), "consent": map[string]any{"email": true}},
		Event:   map[string]any{"total": 50.0, "tags": []any{"damaged"}, "verified": true, "number": 1.0, "at": "2026-09-20T10:00:00Z"},
		Trigger: map[string]any{"order_id": "o1"},
		Steps:   map[string]any{"score": map[string]any{"status": "done", "json": map[string]any{"risk": 0.9}}},
		Now:     now,
		Answers: map[string]any{
			`count("order.paid")`: 4, `count("order.paid","30d")`: int64(2), `sum("order.paid","total","30d")`: 120.5,
			`reachable()`: true, `reachable("sms")`: false, `in_segment("vip")`: true, `holds("cart-10")`: true, `redeemed("cart-10")`: false,
		},
	}
	for src, want := range map[string]bool{
		`event.total >= 50 && contact.reachable()`:                                    true,
		`event.total > 50`:                                                            false,
		`event.number == 1 && event.verified`:                                         true,
		`contact.tagged("gold") && !contact.tagged("staff")`:                          true,
		`contact.last_order_at < ago("30d")`:                                          true,
		`contact.last_order_at < ago("6w")`:                                           false,
		`now < ahead("1d")`:                                                           true,
		`timestamp(event.at) > ago("2d")`:                                             true,
		`contact.count("order.paid") >= 4 && contact.count("order.paid", "30d") == 2`: true,
		`contact.sum("order.paid", "total", "30d") - 20.0 > 100`:                      true,
		`contact.sum("order.paid", "total", "30d") / 2.0 > 60`:                        true,
		`contact.reachable("sms") || contact.in_segment("vip")`:                       true,
		`contact.holds("cart-10") && !contact.redeemed("cart-10")`:                    true,
		`event.tags.exists(t, t in ["late-delivery", "damaged"])`:                     true,
		`contact.consent.email`:                                                       true,
		`steps.score.status != "done" || steps.score.json.risk > 0.7`:                 true,
		`has(event.missing) && event.missing > 1`:                                     false,
	} {
		got, err := condition(t, src, campaign.InStep).Eval(data)
		require.NoError(t, err, src)
		require.Equal(t, want, got, src)
	}
}

func TestCondition_FailsWhereItCannotBeAnswered(t *testing.T) {
	t.Parallel()
	data := campaign.Data{Contact: map[string]any{}, Event: map[string]any{"name": "x"}}
	for _, src := range []string{`event.missing == 1`, `event.name > 5`, `event.name`, `contact.reachable()`, `contact.count("a.b") > 1`, `trigger.x == 1`} {
		_, err := condition(t, src, campaign.InRule).Eval(data)
		require.Error(t, err, src)
	}
}

func TestCondition_CostsNoMoreThanItsLimit(t *testing.T) {
	t.Parallel()
	many := make([]any, 2000)
	for i := range many {
		many[i] = float64(i)
	}
	_, err := condition(t, `event.a.all(x, event.a.all(y, event.a.all(z, x + y + z >= 0.0)))`, campaign.InTrigger).Eval(campaign.Data{Event: map[string]any{"a": many}})
	require.Error(t, err)
}

// Values from outside have no type beforehand, and CEL's cost model counts what is
// done with them as one, however long they are.
func TestCondition_BoundsWhatItsCostsDoNotSee(t *testing.T) {
	t.Parallel()
	data := campaign.Data{Event: map[string]any{"a": strings.Repeat("a", 300_000), "p": "(a?){300}", "n": 1.0}}
	double := `[event.a]` + strings.Repeat(`.map(s, s + s)`, 30) + `.size() > 0`
	for src, says := range map[string]string{
		double: "puts together more than",
		strings.ReplaceAll(double, "event.a", "[1]"): "puts together more than",
		`event.a.matches("(a?){45}$")`:               "search too much text",
		`event.a.matches(event.p)`:                   "too large",
		`"a".matches(event.n)`:                       "no such overload",
	} {
		_, err := condition(t, src, campaign.InTrigger).Eval(data)
		require.ErrorContains(t, err, says, src)
	}
	for src, want := range map[string]bool{
		`event.a.matches("^a+$") && matches("b", "[a-c]") && !"x".matches("y")`: true,
		`"anna@example.com".matches("@example\\.(com|org)$")`:                   true,
		`(event.a + "b").endsWith("ab") && ([1] + [2]).size() == 2`:             true,
	} {
		got, err := condition(t, src, campaign.InTrigger).Eval(data)
		require.NoError(t, err, src)
		require.Equal(t, want, got, src)
	}
}

func TestCondition_TellsWhatItNeeds(t *testing.T) {
	t.Parallel()
	c := condition(t, `contact.count("order.paid") > 1 && contact.count("order.paid") < 9 || contact.tagged("a\"b") && contact.sum("order.paid", "total", "30d") > event.total`, campaign.InTrigger)
	require.Equal(t, []campaign.Need{{Func: "count", Args: []string{"order.paid"}}, {Func: "tagged", Args: []string{`a"b`}}, {Func: "sum", Args: []string{"order.paid", "total", "30d"}}}, c.Needs())
	require.Equal(t, `count("order.paid","30d")`, campaign.Need{Func: "count", Args: []string{"order.paid", "30d"}}.Key())
	require.Equal(t, []string{"event.total"}, c.Reads())
	require.Empty(t, condition(t, `contact.reachable()`, campaign.InTrigger).Needs()[0].Args)
}

func TestCompileCondition_SaysWhatWasExpected(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		``:                                 "empty",
		`event.total >=`:                   "not a valid expression",
		`evnt.total > 1`:                   "`evnt` is not known; did you mean `event`?",
		`tagged("x")`:                      "`tagged` is asked of the contact: contact.tagged(\"gold\")",
		`contact.tagged()`:                 "write contact.tagged(\"gold\")",
		`contact.reachable(event.x)`:       "are texts in quotes",
		`contact.sum("a.b", "c") - 20 > 1`: "write the whole number with a decimal point: 20.0",
		`1 + 1`:                            "gives a number",
		`ago("yesterday") < now`:           "with a duration in quotes",
		`ago() < now`:                      "write ago(\"90d\")",
		`"a" > 1`:                          "cannot be applied",
		strings.Repeat("(", 2000) + `1`:    "nested too deeply",
		strings.Repeat("a || ", 2000):      "too long",
		`code.value == "x"`:                "`code` is not known here",
	} {
		_, problems := campaign.CompileCondition(src, campaign.InTrigger, campaign.Pos{File: "f", Line: 3, Column: 7})
		require.ErrorContains(t, problems, want, "%.60s", src)
		require.Equal(t, 3, problems[0].Pos.Line)
	}
}
