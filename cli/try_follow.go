package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"scrip.dev/scrip/dev/sandbox"
)

// followEvery is how often the journey is looked at.
const followEvery = 250 * time.Millisecond

// triedJourney is what the API tells of the journey.
type triedJourney struct {
	ID      string
	State   string
	Outcome string
	Codes   []struct {
		Coupon, Code, State string
		ExpiresAt           *time.Time `json:"expires_at"`
	}
	Status struct {
		Step, Says, Waiting, Held string
		Until                     time.Time
	}
}

type triedMessage struct {
	ID, Channel, Template, State, Reason, Delivery string
}

func (j *triedJourney) code() string {
	if len(j.Codes) == 0 {
		return ""
	}
	return j.Codes[len(j.Codes)-1].Code
}

// run leaves a cart and follows the journey to its end.
func (t *try) run(ctx context.Context, do []string, told bool) error {
	t.told = map[string]bool{}
	c := t.person.Customer
	fmt.Fprintf(t.out, "\n  %s leaves a cart of %s EUR in the sandbox's shop.\n  Watch along: %s/sandbox\n\n",
		c.Email, t.person.Total().StringFixed(2), strings.TrimRight(t.url, "/"))
	if err := t.webhook(ctx, "checkouts/update", sandbox.CheckoutBody(t.person)); err != nil {
		return err
	}
	t.say("waiting for an hour without a change of the cart (a second here)")
	interactive := !told && t.onTerminal()
	var keys <-chan string
	if interactive {
		keys = readKeys(t.in.(*os.File))
	}
	for {
		j, err := t.look(ctx)
		if err != nil {
			return err
		}
		if j != nil && j.State == "ended" {
			t.say("ended: %s", j.Outcome)
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.New("interrupted; the journey goes on without you")
		case key := <-keys:
			word := wayOf(key)
			if word == "quit" {
				return nil
			}
			if err := t.press(ctx, word, j); err != nil {
				return err
			}
		case <-time.After(followEvery):
			if len(do) == 0 || !t.due(do[0], j) {
				continue
			}
			if do[0] == "quit" {
				return nil
			}
			if err := t.press(ctx, do[0], j); err != nil {
				return err
			}
			do = do[1:]
		}
	}
}

func (t *try) press(ctx context.Context, word string, j *triedJourney) error {
	switch {
	case word == "":
		t.say("type one of the letters and Enter: a, b, o, u, t or q")
		return nil
	case j == nil && word != "order":
		t.say("the journey has not begun yet")
		return nil
	}
	return t.act(ctx, word, j)
}

// due says that the journey waits at a place where nothing was done yet, and that
// there is a code for what needs one. A send under way is no place to wait.
func (t *try) due(word string, j *triedJourney) bool {
	if j == nil || j.Status.Waiting == "" || j.Status.Until.IsZero() || needsCode(word) && j.code() == "" {
		return false
	}
	place := "place:" + j.Status.Step
	if t.told[place] {
		return false
	}
	t.told[place] = true
	return true
}

// look asks how it stands and prints what is new. It gives nil while there is no
// journey.
func (t *try) look(ctx context.Context) (*triedJourney, error) {
	contact, err := ask[struct{ Contact string }](ctx, t, "/v1/contacts", url.Values{"q": {t.person.Customer.Email}})
	if err != nil || contact == nil {
		return nil, err
	}
	journeys, err := ask[page[triedJourney]](ctx, t, "/v1/journeys", url.Values{"contact": {contact.Contact}, "campaign": {"cart-recovery"}})
	if err != nil {
		return nil, err
	}
	if journeys == nil || len(journeys.Items) == 0 {
		return nil, t.refusals(ctx, contact.Contact)
	}
	j, err := ask[triedJourney](ctx, t, "/v1/journeys/"+journeys.Items[0].ID, nil)
	if err != nil || j == nil {
		return nil, err
	}
	messages, err := ask[page[triedMessage]](ctx, t, "/v1/messages", url.Values{"journey": {j.ID}})
	if err != nil {
		return nil, err
	}
	t.tell(j, messages)
	return j, nil
}

// refusals prints why the person did not enter.
func (t *try) refusals(ctx context.Context, contact string) error {
	why, err := ask[struct {
		Explanations []struct{ Kind, Sentence string } `json:"explanations"`
	}](ctx, t, "/v1/why", url.Values{"contact": {contact}, "campaign": {"cart-recovery"}})
	if err != nil || why == nil {
		return err
	}
	for _, e := range why.Explanations {
		if e.Kind == "refused" {
			t.once("refused", "%s", e.Sentence)
		}
	}
	return nil
}

func (t *try) tell(j *triedJourney, messages *page[triedMessage]) {
	t.once("entered", "entered cart-recovery as %s", j.ID)
	for _, code := range j.Codes {
		until := ""
		if code.ExpiresAt != nil {
			until = ", until " + code.ExpiresAt.Local().Format("15:04:05") + " on this clock"
		}
		t.once("code"+code.Code, "code %s of %s assigned%s", code.Code, code.Coupon, until)
		if code.State != "held" && code.State != "exposed" {
			t.once("code"+code.Code+code.State, "code %s is %s", code.Code, code.State)
		}
	}
	if messages != nil {
		for i := len(messages.Items) - 1; i >= 0; i-- {
			m := messages.Items[i]
			switch m.State {
			case "skipped", "refused":
				t.once(m.ID+m.State, "%s %s was %s: %s", m.Channel, m.Template, m.State, m.Reason)
			case "accepted":
				t.once(m.ID+m.State, "%s %s sent", m.Channel, m.Template)
			default:
				t.once(m.ID+m.State, "%s %s is %s %s", m.Channel, m.Template, m.State, m.Reason)
			}
			if m.Delivery != "" && m.Delivery != "accepted" {
				t.once(m.ID+m.Delivery, "%s %s %s", m.Channel, m.Template, m.Delivery)
			}
		}
	}
	if j.State != "ended" && j.Status.Waiting != "" {
		line := "waiting: " + j.Status.Waiting
		if !j.Status.Until.IsZero() {
			line += ", at the latest until " + j.Status.Until.Local().Format("15:04:05")
		}
		if t.once("waiting"+j.Status.Step+j.Status.Held, "%s", line) && t.onTerminal() {
			t.menu()
		}
	}
}

// once prints a line the first time it is true.
func (t *try) once(key, format string, args ...any) bool {
	if t.told[key] {
		return false
	}
	t.told[key] = true
	t.say(format, args...)
	return true
}

func (t *try) menu() {
	fmt.Fprintln(t.out, "\n           What now? A letter and Enter:")
	for _, way := range ways {
		fmt.Fprintf(t.out, "           [%s] %s\n", way.key, way.says)
	}
	fmt.Fprintln(t.out)
}

func wayOf(key string) string {
	for _, way := range ways {
		if strings.EqualFold(way.key, key) || strings.EqualFold(way.word, key) {
			return way.word
		}
	}
	return ""
}

// ask gives what the API answers; nil where it knows nothing of it.
func ask[T any](ctx context.Context, t *try, path string, query url.Values) (*T, error) {
	answer, err := t.call(ctx, request{method: http.MethodGet, path: path, query: query})
	var refused *apiError
	if errors.As(err, &refused) && refused.Status == http.StatusNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := new(T)
	if err := json.Unmarshal(answer, out); err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	return out, nil
}

func decodeJSON(r io.Reader, into any) error {
	if err := json.NewDecoder(r).Decode(into); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	return nil
}

func isTerminal(file *os.File) bool { return term.IsTerminal(int(file.Fd())) }

// readKeys gives the lines that are typed: a way's letter or its word.
func readKeys(file *os.File) <-chan string {
	keys := make(chan string)
	go func() {
		for lines := bufio.NewScanner(file); lines.Scan(); {
			keys <- strings.TrimSpace(lines.Text())
		}
	}()
	return keys
}
