package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/config"
	"scrip.dev/scrip/dev/temporal"
	"scrip.dev/scrip/e2e/walk"
)

// apply applies the example project with further files.
func (p *person) apply(files map[string]string) {
	p.Helper()
	all, err := config.ReadFolder(filepath.Join("..", "examples"))
	require.NoError(p, err)
	maps.Copy(all, files)
	p.Call(http.MethodPost, "/v1/apply", map[string]any{"files": all}, nil)
}

func note(text string) string {
	return "---\nsubject: " + text + "\nlayout: none\n---\n<p>" + text + " {{ code }}</p>\n"
}

func TestAnEmptyPoolIsWaitedForInOrder(t *testing.T) {
	first := shared.person(t, "supply")
	first.apply(map[string]string{
		"templates/club/email.html": note("Welcome to the club"),
		"campaigns/tea-club.yaml": `
campaign: tea-club
trigger: {event: club.joined}
steps:
  - send: {email: club, coupon: club-10}
---
coupon: club-10
discount: {percentage: 10}
codes: {list: true}
on_empty: {wait: 90d}
`})
	people := []*person{first}
	for i := range 4 {
		people = append(people, first.customer(t, fmt.Sprintf("supply%d", i)))
	}
	for _, p := range people {
		p.Happens("club.joined", nil)
		j := p.Enters("tea-club")
		p.Until(func() bool { return p.Show(j.ID).Status.Held == "waiting_for_codes" }, "the journey to wait for codes")
	}
	request, err := http.NewRequest(http.MethodPost, first.Base+"/v1/coupons/club-10/codes", strings.NewReader("CLUB-1\nCLUB-2\nCLUB-3\nCLUB-2\n"))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+first.Key)
	request.Header.Set("Content-Type", "text/plain")
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	report, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Less(t, answer.StatusCode, 300, string(report))
	for i, p := range people[:3] {
		require.Contains(t, p.Receives(1).HTML, fmt.Sprintf("CLUB-%d", i+1))
	}
	require.Empty(t, people[3].Messages())
	require.Empty(t, people[4].Messages())
}

func TestAJourneyKeepsTheVersionItEnteredWith(t *testing.T) {
	p := shared.person(t, "version")
	version := func(steps string) map[string]string {
		return map[string]string{
			"templates/edition/email.html": note("Edition"),
			"campaigns/edition.yaml":       "campaign: edition\ntrigger: {event: edition.wanted}\nentry: {key: event.no}\nsteps:\n" + steps,
		}
	}
	p.apply(version("  - wait: 40h\n  - end: first\n"))
	p.Happens("edition.wanted", map[string]any{"no": "1"})
	old := p.Enters("edition")
	require.Equal(t, 1, old.Version)
	p.apply(version("  - end: second\n"))
	require.Equal(t, "first", p.Ends(old.ID).Outcome)
	p.Happens("edition.wanted", map[string]any{"no": "2"})
	var found []walk.Journey
	p.Until(func() bool { found = p.Journeys("edition"); return len(found) == 2 }, "the second journey")
	require.Equal(t, 2, found[0].Version)
	require.Equal(t, "second", p.Ends(found[0].ID).Outcome)
}

func TestAMendedTemplateReachesThoseInside(t *testing.T) {
	p := shared.person(t, "mended")
	files := map[string]string{
		"templates/mended/email.html": "---\nsubject: Wrong\nlayout: none\n---\n<p>{{ contact.attributes.shoe.size }}</p>\n",
		"campaigns/mended.yaml":       "campaign: mended\ntrigger: {event: mended.wanted}\nsteps:\n  - send: {email: mended}\n",
	}
	p.apply(files)
	p.Happens("mended.wanted", nil)
	j := p.Enters("mended")
	p.Until(func() bool { return p.Show(j.ID).Reason == "render_error" }, "the journey to be parked")
	require.Empty(t, p.Messages())
	files["templates/mended/email.html"] = "---\nsubject: Right\nlayout: none\n---\n<p>Mended</p>\n"
	p.apply(files)
	require.Equal(t, "Right", p.Receives(1).Subject)
	require.Equal(t, "completed", p.Ends(j.ID).Outcome)
}

// cli runs Temporal's own command line tool.
func (w *world) cli(t *testing.T, args ...string) string {
	t.Helper()
	path, err := temporal.CLI(t.Context(), nil)
	require.NoError(t, err)
	out, err := exec.CommandContext(t.Context(), path, append(args, "--address", w.temporal)...).CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}

const byHand = `
campaign: by-hand
trigger: {event: hand.wanted}
lifetime: 200d
steps:
  - send: {email: hand, coupon: hand-10}
  - await:
      - event: code.applied
        then: [{tag: applied-by-hand}]
      - after: 60d
  - wait: 51d
  - tag: skipped-by-hand
  - wait: 52d
---
coupon: hand-10
discount: {percentage: 10}
codes: {generate: "HAND-########"}
valid_for: 150d
`

// held enters a campaign whose waits last longer than the test.
func (p *person) held() (walk.Journey, string) {
	p.Helper()
	p.Happens("hand.wanted", nil)
	j := p.Enters("by-hand")
	j = p.WaitsAt(j.ID, "await_code_applied_or_60d")
	return j, j.Codes[0].Code
}

func TestEverySignalWorksByHand(t *testing.T) {
	p := shared.person(t, "signals")
	p.apply(map[string]string{"templates/hand/email.html": note("By hand"), "campaigns/by-hand.yaml": byHand})
	j, code := p.held()

	p.cli(t, "workflow", "signal", "-w", j.Workflow, "--name", "pause")
	p.Until(func() bool { return p.Show(j.ID).Status.Paused }, "the pause")
	p.cli(t, "workflow", "signal", "-w", j.Workflow, "--name", "applied")
	p.Until(func() bool { return p.Show(j.ID).Codes[0].State == "applied" }, "the code to be applied")
	p.Until(func() bool { return p.Show(j.ID).Status.Held == "paused" }, "the next step to be held")
	p.cli(t, "workflow", "signal", "-w", j.Workflow, "--name", "resume")
	p.WaitsAt(j.ID, "wait_51d")
	p.cli(t, "workflow", "signal", "-w", j.Workflow, "--name", "skip")
	p.WaitsAt(j.ID, "wait_52d")
	p.cli(t, "workflow", "signal", "-w", j.Workflow, "--name", "redeemed", "--input", `{"order":"1001"}`)
	require.Equal(t, "redeemed", p.Ends(j.ID).Outcome)
	require.Equal(t, []string{"1001"}, p.Orders(code))

	p = p.customer(t, "exits")
	j, _ = p.held()
	p.cli(t, "workflow", "signal", "-w", j.Workflow, "--name", "exit", "--input", `{"outcome":"called_us"}`)
	require.Equal(t, "called_us", p.Ends(j.ID).Outcome)
}

func TestARedemptionByHandIsCompletedByTheShopsOrder(t *testing.T) {
	p := shared.person(t, "upgraded")
	j, code := p.Reminded()
	p.cli(t, "workflow", "signal", "-w", j.Workflow, "--name", "redeemed")
	require.Equal(t, "redeemed", p.Ends(j.ID).Outcome)
	require.Equal(t, []string{"manual:" + j.ID}, p.Orders(code))
	order := p.Buys(code)
	p.Until(func() bool {
		orders := p.Orders(code)
		return len(orders) == 1 && orders[0] == fmt.Sprint(order.ID)
	}, "the order to complete the redemption")
}

func TestHistoriesHoldNobodysData(t *testing.T) {
	p := shared.person(t, "private")
	j, code := p.Reminded()
	p.Buys(code)
	p.Ends(j.ID)
	history := p.cli(t, "workflow", "show", "-w", j.Workflow, "--output", "json")
	for _, secret := range []string{p.Customer.Email, p.Customer.Phone, p.Customer.FirstName, p.Token, code} {
		require.NotContains(t, history, secret)
		require.NotContains(t, decoded(t, history), secret)
	}
}

// decoded gives the payloads of a history in clear.
func decoded(t *testing.T, history string) string {
	var value any
	require.NoError(t, json.Unmarshal([]byte(history), &value))
	var text bytes.Buffer
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if data, ok := v["data"].(string); ok {
				raw, err := json.Marshal(data)
				require.NoError(t, err)
				var plain []byte
				if json.Unmarshal(raw, &plain) == nil {
					text.Write(plain)
				}
			}
			for _, inner := range v {
				walk(inner)
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	walk(value)
	return text.String()
}

func TestShopsThatAskScripItself(t *testing.T) {
	p := shared.person(t, "asks")
	j, code := p.Reminded()
	var verdict struct {
		Valid  bool
		Reason string
	}
	p.Call(http.MethodGet, "/v1/codes/"+code+"/validate?total=80", nil, &verdict)
	require.True(t, verdict.Valid, verdict.Reason)
	p.Call(http.MethodPost, "/v1/codes/"+code+"/hold", map[string]any{"reference": "checkout-" + p.Token, "for": "10m"}, nil)
	order := map[string]any{"order": map[string]any{"id": "A-" + p.Token, "total": "80.00", "discount": "8.00", "currency": "EUR"}, "reference": "checkout-" + p.Token}
	p.Call(http.MethodPost, "/v1/codes/"+code+"/redeem", order, nil)
	require.Equal(t, "redeemed", p.Ends(j.ID).Outcome)
	status, body := p.Try(http.MethodPost, "/v1/codes/"+code+"/redeem", map[string]any{"order": map[string]any{"id": "B-" + p.Token, "total": "80.00", "currency": "EUR"}})
	require.Equal(t, http.StatusConflict, status, string(body))
	require.Contains(t, string(body), "used")
}

func TestNothingIsLostWhileTemporalIsAwayOrScripRestarts(t *testing.T) {
	t.Parallel()
	state, err := os.MkdirTemp("", "scrip-e2e-restart-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(state) })
	o := options(state)
	w, err := open(o)
	require.NoError(t, err)
	waiting := w.customer(t, "restart")
	j, code := waiting.Reminded()
	waiting.WaitsAt(j.ID, walk.FirstAwait)

	require.NoError(t, w.killTemporal())
	away := w.customer(t, "away")
	away.AbandonsCart()
	away.Until(func() bool { return len(away.Journeys("cart-recovery")) == 1 }, "the entry, without Temporal")
	require.Equal(t, "pending", away.Journeys("cart-recovery")[0].State)
	waiting.Buys(code)
	require.NoError(t, w.stop())

	w, err = open(o)
	require.NoError(t, err)
	defer func() { require.NoError(t, w.stop()) }()
	waiting.world, away.world = w, w
	require.Equal(t, "redeemed", waiting.Ends(j.ID).Outcome)
	away.Receives(1)
	away.Buys("")
	require.Equal(t, "bought_without_code", away.Ends(away.Journeys("cart-recovery")[0].ID).Outcome)
	require.Len(t, away.Messages(), 1)
	require.Len(t, waiting.Messages(), 1)
}

// killTemporal ends the Temporal server as a crash would.
func (w *world) killTemporal() error {
	pid, err := os.ReadFile(filepath.Join(w.state, "temporal", "server.pid"))
	if err != nil {
		return err
	}
	var number int
	if _, err := fmt.Sscan(string(pid), &number); err != nil {
		return err
	}
	process, err := os.FindProcess(number)
	if err != nil {
		return err
	}
	if err := process.Kill(); err != nil {
		return err
	}
	return nil
}
