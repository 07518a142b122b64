package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/shopspring/decimal"
	"github.com/spf13/cobra"

	"scrip.dev/scrip/dev/sandbox"
)

// ways are what a person in the sandbox's shop can do, by the key that does it.
var ways = []struct{ key, word, says string }{
	{"a", "apply", "apply the code at the checkout"},
	{"b", "buy", "buy with the code"},
	{"o", "order", "order without the code"},
	{"u", "unsubscribe", "unsubscribe from e-mail"},
	{"t", "time", "let time pass: end the wait under way"},
	{"q", "quit", "leave the journey to itself"},
}

func (a *app) tryCommand() *cobra.Command {
	var do []string
	var noPhone bool
	command := &cobra.Command{
		Use:   "try cart-recovery",
		Short: "Be a person who leaves a cart in the sandbox's shop, and follow what happens",
		Long: `Posts a checkout webhook, signed as Shopify signs it, to the Scrip that runs
here (scrip dev), follows the journey line by line, and lets you apply the code,
buy, unsubscribe or let time pass. The same is visible in the Temporal UI, in the
sandbox and through the API.

Without a terminal, or with --do, it does what it is told at each place where the
journey waits, and follows the journey to its end:

  scrip try cart-recovery --do apply,buy`,
		Args: needs("a campaign: cart-recovery"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] != "cart-recovery" {
				return usage("only cart-recovery can be tried; start others with `scrip event send`")
			}
			for _, word := range do {
				if !isWay(word) {
					return usage("--do %s: say apply, buy, order, unsubscribe, time or quit", word)
				}
			}
			secrets, err := sandbox.LoadSecrets(filepath.Join(a.state, "sandbox"))
			if err != nil {
				return err
			}
			t := &try{app: a, secrets: secrets, began: time.Now(), person: somebody(a.url, noPhone)}
			return t.run(cmd.Context(), do, cmd.Flags().Changed("do"))
		},
	}
	command.Flags().StringSliceVar(&do, "do", nil, "what to do where the journey waits: apply, buy, order, unsubscribe, time, quit")
	command.Flags().BoolVar(&noPhone, "no-phone", false, "a person without a phone number")
	return command
}

func isWay(word string) bool {
	for _, way := range ways {
		if way.word == word {
			return true
		}
	}
	return false
}

// somebody leaves a cart: today's date, consent, tokens that match.
func somebody(base string, noPhone bool) sandbox.Checkout {
	c := sandbox.NewCheckout(strings.TrimRight(base, "/")+"/sandbox/shop", time.Now().UTC())
	c.Customer = sandbox.Customer{
		Email: "anna." + c.Token[:6] + "@example.com", Phone: fmt.Sprintf("+4915123%06d", c.ID%1000000),
		FirstName: "Anna", LastName: "Example", Locale: "en", Country: "DE",
		AcceptsEmail: true, AcceptsSMS: true, ConsentAt: time.Now().UTC().Add(-24 * time.Hour),
	}
	if noPhone {
		c.Customer.Phone, c.Customer.AcceptsSMS = "", false
	}
	c.Lines = []sandbox.Line{{ProductID: 1001, SKU: "TEA-GREEN-100", Title: "Green tea, 100 g", Quantity: 4, Price: decimal.RequireFromString("16.50")}}
	return c
}

// try is one person's way through a campaign.
type try struct {
	*app
	secrets sandbox.Secrets
	person  sandbox.Checkout
	began   time.Time
	told    map[string]bool // lines that were printed
	orders  int
}

// webhook posts a webhook as Shopify signs it.
func (t *try) webhook(ctx context.Context, topic string, body []byte) error {
	address := strings.TrimRight(t.url, "/") + "/hooks/shop/" + topic
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("posting the webhook: %w", err)
	}
	request.Header = sandbox.SignShopify(t.secrets.ShopifyClientKey, sandbox.ShopifyDelivery{
		Topic: topic, Shop: t.secrets.ShopifyDomain, TriggeredAt: time.Now(),
	}, body)
	response, err := (&http.Client{Timeout: requestTimeout}).Do(request)
	if err != nil {
		return t.unreachable(err)
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusBadRequest {
		answer, _ := io.ReadAll(io.LimitReader(response.Body, 1<<16))
		return fmt.Errorf("the webhook was refused (%s): %s", response.Status, strings.TrimSpace(string(answer)))
	}
	t.say("webhook %s accepted", topic)
	return nil
}

// say prints a line with the time since the beginning.
func (t *try) say(format string, args ...any) {
	since := time.Since(t.began)
	fmt.Fprintf(t.out, "  %02d:%04.1f  %s\n", int(since.Minutes()), (since % time.Minute).Seconds(), fmt.Sprintf(format, args...))
}

// act does what a person can do.
func (t *try) act(ctx context.Context, word string, j *triedJourney) error {
	now := time.Now().UTC()
	with := t.person
	with.UpdatedAt = now
	if needsCode(word) {
		code := j.code()
		if code == "" {
			t.say("there is no code yet")
			return nil
		}
		with.Code, with.Terms = code, sandbox.Terms{Percentage: decimal.NewFromInt(10)}
	}
	switch word {
	case "apply":
		t.person = with
		return t.webhook(ctx, "checkouts/update", sandbox.CheckoutBody(with))
	case "buy", "order":
		return t.order(ctx, with)
	case "unsubscribe":
		t.say("unsubscribing through the link of the e-mail")
		return t.unsubscribe(ctx)
	case "time":
		_, err := t.call(ctx, request{method: http.MethodPost, path: "/v1/journeys/" + j.ID + "/signal", body: map[string]any{"signal": "skip"}})
		return err
	}
	return nil
}

func needsCode(word string) bool { return word == "apply" || word == "buy" }

// order buys as a shop tells it: orders/create, and orders/paid a moment later.
func (t *try) order(ctx context.Context, c sandbox.Checkout) error {
	t.orders++
	order := sandbox.NewOrder(c, int(c.ID%100000)+t.orders, time.Now().UTC())
	if err := t.webhook(ctx, "orders/create", sandbox.OrderBody(order)); err != nil {
		return err
	}
	order.Paid = true
	return t.webhook(ctx, "orders/paid", sandbox.OrderBody(order))
}

// unsubscribe presses the one-click button that the newest mail carries.
func (t *try) unsubscribe(ctx context.Context) error {
	answer, err := http.Get(strings.TrimRight(t.url, "/") + "/sandbox/messages")
	if err != nil {
		return t.unreachable(err)
	}
	defer answer.Body.Close()
	var captured struct{ Messages []sandbox.Message }
	if err := decodeJSON(answer.Body, &captured); err != nil {
		return err
	}
	messages := captured.Messages
	for i := len(messages) - 1; i >= 0; i-- {
		link := strings.Trim(messages[i].Headers["List-Unsubscribe"], "<>")
		if messages[i].To != t.person.Customer.Email || link == "" {
			continue
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, link, strings.NewReader("List-Unsubscribe=One-Click"))
		if err != nil {
			return fmt.Errorf("unsubscribing: %w", err)
		}
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return t.unreachable(err)
		}
		return response.Body.Close()
	}
	t.say("no e-mail with an unsubscribe link has come yet")
	return nil
}

// onTerminal says whether somebody sits at the keyboard.
func (t *try) onTerminal() bool {
	file, ok := t.in.(*os.File)
	return ok && isTerminal(file)
}
