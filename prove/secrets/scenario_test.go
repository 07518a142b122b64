package secrets_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/dev/sandbox"
)

// cast are the people, by what befalls them.
type cast struct {
	good, refused, silent, panicked, parked, undecided, buyer, imported, dead, broken *person
}

func (c *cast) all() []*person {
	return []*person{c.good, c.refused, c.silent, c.panicked, c.parked, c.undecided, c.buyer, c.imported, c.dead, c.broken}
}

// drive sends everybody through, and waits until it has all come about.
func (w *world) drive() *cast {
	m := w.markers
	c := &cast{}
	for _, p := range []**person{&c.good, &c.refused, &c.silent, &c.panicked, &c.parked, &c.undecided, &c.buyer, &c.imported, &c.dead, &c.broken} {
		*p = m.person()
	}
	w.vendors.refuse = []string{c.refused.Email, c.refused.Phone}
	w.vendors.silent = []string{c.silent.Email}
	w.vendors.panics = []string{c.panicked.Email, c.panicked.Phone}
	w.prepare(c)

	for _, p := range []*person{c.good, c.refused, c.silent, c.panicked, c.broken} {
		w.ok(http.MethodPost, "/v1/events", p.event("everything.wanted"))
	}
	w.ownWebhook("", p2json(c.parked.event("parked.wanted")))
	w.ok(http.MethodPost, "/v1/events", c.undecided.event("undecided.wanted"))
	w.cart(c.buyer)
	w.mistakes(c)

	w.until(func() bool {
		return w.count(`SELECT count(*) FROM message WHERE state = 'accepted' AND contact_id IS NOT NULL`) >= 3
	}, "messages to be sent")
	w.until(func() bool { return w.count(`SELECT count(*) FROM message WHERE state = 'refused'`) >= 2 }, "messages to be refused")
	w.until(func() bool {
		return w.count(`SELECT count(*) FROM message WHERE state IN ('unknown', 'parked')`) >= 1
	}, "an outcome to be unknown")
	w.until(func() bool { return w.count(`SELECT count(*) FROM journey WHERE parked_reason = 'render_error'`) == 1 }, "a template to park a journey")
	w.until(func() bool {
		return w.count(`SELECT count(*) FROM journey WHERE parked_reason = 'expression_error'`) == 1
	}, "a condition to park a journey")
	w.until(func() bool { return w.count(`SELECT count(*) FROM dead_letter`) >= 2 }, "dead letters")
	w.until(func() bool { w.vendors.mu.Lock(); defer w.vendors.mu.Unlock(); return w.vendors.paniced > 0 }, "a vendor's folder to panic")
	w.steer(c)
	return c
}

func p2json(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// prepare applies the project and imports codes and contacts, with mistakes in
// both files.
func (w *world) prepare(c *cast) {
	w.ok(http.MethodPost, "/v1/apply", map[string]any{"files": files})
	lines := []string{"has spaces " + w.markers.word(typo)}
	for range 12 {
		lines = append(lines, strings.ToUpper(w.markers.word(code)))
	}
	lines = append(lines, lines[1], "\x01"+w.markers.word(typo))
	status, body := w.call(http.MethodPost, "/v1/coupons/given/codes", strings.Join(lines, "\n"), "Content-Type", "text/plain")
	require.Equal(w, http.StatusOK, status, string(body))
	p := c.imported
	csv := "email,phone,first_name,last_name,attributes.street,suppressed_email\n" +
		strings.Join([]string{p.Email, p.Phone, p.First, p.Last, p.Street, "hard_bounce"}, ",") + "\n" +
		"not-an-address-" + w.markers.word(typo) + ",nor-a-number,x,y,z,maybe\n"
	status, body = w.call(http.MethodPost, "/v1/contacts/import", csv, "Content-Type", "text/csv")
	require.Equal(w, http.StatusOK, status, string(body))
	// Files that begin with a person instead of a header line.
	for _, route := range []string{"/v1/contacts/import", "/v1/coupons/given/codes"} {
		status, body = w.call(http.MethodPost, route, w.markers.word(typo)+"@example.com,"+w.markers.word(typo)+"\n", "Content-Type", "text/csv")
		require.Equal(w, http.StatusUnprocessableEntity, status, string(body))
	}
	// A database that says what it refuses: Postgres repeats values in messages of
	// its own too, which ones depends on its version.
	_, err := w.store.Pool.Exec(w.Context(), fmt.Sprintf(`
		CREATE FUNCTION repeat_it() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			RAISE EXCEPTION 'no: %%', NEW.address USING ERRCODE = '22P02';
		END $$;
		CREATE TRIGGER repeat_it BEFORE INSERT ON message FOR EACH ROW WHEN (NEW.address = '%s') EXECUTE FUNCTION repeat_it()`, c.broken.Email))
	require.NoError(w, err)
}

// cart leaves a cart, gets a code made in the shop, applies it and orders.
func (w *world) cart(p *person) {
	now := time.Now().UTC()
	checkout := sandbox.NewCheckout(w.base+"/sandbox/shop", now)
	checkout.Customer = sandbox.Customer{Email: p.Email, Phone: p.Phone, FirstName: p.First, LastName: p.Last, Country: "DE",
		AcceptsEmail: true, AcceptsSMS: true, ConsentAt: now.Add(-time.Hour)}
	checkout.Lines = []sandbox.Line{{ProductID: 1001, SKU: "TEA-1", Title: "Green tea", Quantity: 2, Price: decimal.RequireFromString("39.50")}}
	w.shopWebhook("checkouts/update", w.noted(p, sandbox.CheckoutBody(checkout)))
	w.until(func() bool {
		return w.count(`SELECT count(*) FROM assignment a JOIN coupon c ON c.id = a.coupon_id WHERE c.name = 'made' AND a.state = 'exposed'`) == 1
	}, "the buyer's code")
	var made string
	require.NoError(w, w.store.Pool.QueryRow(w.Context(), `SELECT k.code FROM code k JOIN assignment a ON a.batch_id = k.batch_id AND a.pos = k.pos
		JOIN coupon c ON c.id = a.coupon_id WHERE c.name = 'made'`).Scan(&made))
	w.markers.add(code, made)
	checkout.Code, checkout.Terms = made, sandbox.Terms{Percentage: decimal.NewFromInt(10)}
	checkout.UpdatedAt = time.Now().UTC()
	w.shopWebhook("checkouts/update", w.noted(p, sandbox.CheckoutBody(checkout)))
	order := sandbox.NewOrder(checkout, 1001, time.Now().UTC())
	w.shopWebhook("orders/create", w.noted(p, sandbox.OrderBody(order)))
	order.Paid = true
	w.shopWebhook("orders/paid", w.noted(p, sandbox.OrderBody(order)))
	w.until(func() bool { return w.count(`SELECT count(*) FROM redemption`) == 1 }, "the redemption")
}

// noted adds what a shop's webhook has besides: a note and a postal address.
func (w *world) noted(p *person, body []byte) []byte {
	var fields map[string]any
	require.NoError(w, json.Unmarshal(body, &fields))
	fields["note"] = p.Note
	fields["shipping_address"] = map[string]any{"address1": p.Street, "first_name": p.First, "last_name": p.Last, "phone": p.Phone}
	return p2json(fields)
}

func (w *world) shopWebhook(topic string, body []byte) {
	w.Helper()
	d := sandbox.ShopifyDelivery{Topic: topic, Shop: w.secrets.ShopifyDomain, TriggeredAt: time.Now()}
	w.hook("/hooks/shop/"+topic, body, sandbox.SignShopify(w.secrets.ShopifyClientKey, d, body))
}

func (w *world) ownWebhook(topic string, body []byte) {
	w.Helper()
	signer, err := standardwebhooks.NewWebhook(w.own)
	require.NoError(w, err)
	id, now := "msg_"+hex(8), time.Now()
	signature, err := signer.Sign(id, now, body)
	require.NoError(w, err)
	header := http.Header{}
	header.Set(standardwebhooks.HeaderWebhookID, id)
	header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	w.hook(strings.TrimSuffix("/hooks/own/"+topic, "/"), body, header)
}

func (w *world) hook(path string, body []byte, header http.Header) {
	w.Helper()
	request, err := http.NewRequestWithContext(w.Context(), http.MethodPost, w.base+path, bytes.NewReader(body))
	require.NoError(w, err)
	request.Header = header
	request.Header.Set("traceparent", "00-"+hex(16)+"-"+hex(8)+"-01")
	answer, err := http.DefaultClient.Do(request)
	require.NoError(w, err)
	defer answer.Body.Close()
	if answer.StatusCode >= 400 {
		text := new(bytes.Buffer)
		_, _ = text.ReadFrom(answer.Body)
		_, _ = w.answers.Write(append(text.Bytes(), '\n'))
	}
}

// mistakes are what callers get wrong, with people's data in it.
func (w *world) mistakes(c *cast) {
	p := c.dead
	wrong := func() string { return w.markers.word(typo) }
	// Dead letters: nobody can understand them.
	w.ownWebhook("", p2json(map[string]any{"type": 7, "contact": p.event("x")["contact"], "fields": p.Note}))
	w.shopWebhook("orders/paid", p2json(map[string]any{"id": map[string]any{"x": p.Note}, "email": p.Email, "line_items": p.Street}))
	w.ownWebhook("", p2json([]any{map[string]any{"type": "x.y", "occurred_at": p.Email, "contact": map[string]any{"email": p.Email, "phone": p.Phone}}}))
	w.hook("/hooks/own", p2json(p.event("x.y")), http.Header{"Webhook-Id": {"1"}, "Webhook-Timestamp": {wrong()}, "Webhook-Signature": {wrong()}})
	w.hook("/hooks/shop/orders/paid", p2json(p.event("x.y")), http.Header{})
	// A redemption of a code that doesn't exist, and one of somebody else's.
	w.ok(http.MethodPost, "/v1/events", map[string]any{"type": "code.redeemed", "code": wrong(), "contact": p.event("x")["contact"], "order": map[string]any{"id": "77", "total": "1", "currency": "EUR"}})

	for _, bad := range []struct {
		method, path string
		body         any
	}{
		{"POST", "/v1/events", map[string]any{"type": "x.y", "contact": map[string]any{"email": wrong(), "phone": wrong()}}},
		{"POST", "/v1/events", map[string]any{"type": wrong() + " " + wrong(), "contact": map[string]any{"email": wrong() + "@example.com", wrong(): wrong()}}},
		{"POST", "/v1/events", map[string]any{"type": "x.y", "occurred_at": wrong(), "order": map[string]any{"id": "1", "total": wrong(), "currency": wrong()}}},
		{"POST", "/v1/events", map[string]any{"type": "x.y", "contact": map[string]any{"consent": map[string]any{"email": wrong(), wrong(): true}, "time_zone": wrong()}}},
		{"POST", "/v1/events", `{"type": "` + wrong() + `", ` + wrong()},
		{"GET", "/v1/contacts?q=" + wrong() + "@example.com", nil},
		{"GET", "/v1/contacts/" + wrong(), nil},
		{"POST", "/v1/contacts/" + wrong() + "/erase", nil},
		{"POST", "/v1/contacts/" + wrong() + "/consent", map[string]any{"channel": wrong(), "state": wrong()}},
		{"GET", "/v1/codes/" + wrong(), nil},
		{"POST", "/v1/codes/" + wrong() + "/redeem", map[string]any{"order": map[string]any{"id": "1", "total": wrong()}, "email": wrong()}},
		{"POST", "/v1/codes/" + wrong() + "/hold", map[string]any{"reference": wrong(), "for": wrong()}},
		{"POST", "/v1/coupons/" + wrong() + "/assign", map[string]any{"email": wrong() + "@example.com"}},
		{"POST", "/v1/coupons/given/assign", map[string]any{"email": wrong()}},
		{"POST", "/v1/send-test", map[string]any{"template": "all", "to": wrong(), "channel": wrong()}},
		{"POST", "/v1/templates/broken/preview", map[string]any{"contact": wrong() + "@example.com"}},
		{"GET", "/v1/why?contact=" + wrong() + "@example.com", nil},
		{"GET", "/v1/journeys?contact=" + wrong() + "&state=" + wrong(), nil},
		{"POST", "/v1/journeys/" + wrong() + "/signal", map[string]any{"signal": wrong()}},
		{"GET", "/v1/messages?state=" + wrong() + "&cursor=" + wrong(), nil},
		{"POST", "/v1/keys", map[string]any{"name": strings.Repeat(wrong(), 40), "scopes": []string{wrong()}}},
		{"POST", "/v1/apply", map[string]any{"files": map[string]string{"campaigns/x.yaml": "campaign: x\nwhere: " + wrong()}}},
		{"POST", "/u/" + wrong(), nil},
		{"GET", "/" + wrong(), nil},
	} {
		status, body := w.call(bad.method, bad.path, bad.body)
		require.Less(w, status, 500, "%s %s: %s", bad.method, bad.path, body)
	}
	request, err := http.NewRequestWithContext(w.Context(), http.MethodGet, w.base+"/v1/keys", nil)
	require.NoError(w, err)
	request.Header.Set("Authorization", "Bearer scrip_"+wrong())
	answer, err := http.DefaultClient.Do(request)
	require.NoError(w, err)
	defer answer.Body.Close()
	text := new(bytes.Buffer)
	_, _ = text.ReadFrom(answer.Body)
	_, _ = w.answers.Write(text.Bytes())
}

// steer does what people do by hand: look, signal, give codes, unsubscribe, answer
// an SMS.
func (w *world) steer(c *cast) {
	contact := w.contact(c.good.Email)
	w.ok(http.MethodPost, "/v1/contacts/"+contact+"/consent", map[string]any{"channel": "email", "state": "granted", "source": "form " + c.good.Note})
	w.ok(http.MethodPost, "/v1/coupons/given/assign", map[string]any{"email": c.good.Email}, "Idempotency-Key", "k-1")
	w.ok(http.MethodPost, "/v1/send-test", map[string]any{"template": "all", "to": c.good.Email, "channel": "email",
		"variables": map[string]any{"contact": map[string]any{"first_name": c.good.First, "name": c.good.Last, "email": c.good.Email, "phone": c.good.Phone, "street": c.good.Street, "likes": c.good.Attribute}, "trigger": map[string]any{"note": c.good.Note}}})
	w.call(http.MethodPost, "/v1/send-test", map[string]any{"template": "cart", "to": c.refused.Email, "channel": "email"})
	w.ok(http.MethodGet, "/v1/contacts/"+contact+"/export", nil)
	journey := w.journey(contact, "everything")
	for _, payload := range []map[string]any{{"order": "1001", "email": c.good.Email, "note": c.good.Note}, {"order": c.good.Note + " " + c.good.Email}} {
		w.call(http.MethodPost, "/v1/journeys/"+journey+"/signal", map[string]any{"signal": "redeemed", "payload": payload})
	}
	w.call(http.MethodPost, "/v1/journeys/"+w.journey(w.contact(c.refused.Email), "everything")+"/signal",
		map[string]any{"signal": "exit", "payload": map[string]any{"outcome": "told by " + c.refused.First}})
	w.ok(http.MethodPost, "/v1/journeys/"+journey+"/signal", map[string]any{"signal": "redeemed", "payload": map[string]any{"order": "1001"}})

	for _, text := range []string{"I moved to " + w.markers.word(reply), "Stop"} {
		form := url.Values{"MessageSid": {"SM" + hex(16)}, "AccountSid": {w.secrets.TwilioAccountSID}, "From": {c.good.Phone}, "To": {w.secrets.TwilioFrom}, "Body": {text}}
		header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
		header.Set("X-Twilio-Signature", sandbox.SignTwilio(w.secrets.TwilioAuthToken, w.base+"/hooks/sms/inbound", form))
		w.hook("/hooks/sms/inbound", []byte(form.Encode()), header)
	}
	for _, mail := range w.mails(c.buyer.Email) {
		link := strings.Trim(mail.Headers["List-Unsubscribe"], "<>")
		require.NotEmpty(w, link)
		w.secret(link[strings.LastIndex(link, "/")+1:])
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			request, err := http.NewRequestWithContext(w.Context(), method, link, strings.NewReader("List-Unsubscribe=One-Click"))
			require.NoError(w, err)
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			answer, err := http.DefaultClient.Do(request)
			require.NoError(w, err)
			require.NoError(w, answer.Body.Close())
			require.Less(w, answer.StatusCode, 300)
		}
	}
	w.until(func() bool { return w.count(`SELECT count(*) FROM consent WHERE state = 'denied'`) >= 2 }, "what they allow to be taken back")
	require.NotZero(w, w.count(`SELECT count(*) FROM suppression`))
	w.until(func() bool { return w.count(`SELECT count(*) FROM delivery_queue`) == 0 }, "the inbox to be empty")
	w.until(func() bool { return w.count(`SELECT count(*) FROM outbox`) == 0 }, "the outbox to be empty")
}

func (w *world) mails(to string) []sandbox.Message {
	status, body := w.call(http.MethodGet, "/sandbox/messages", nil)
	require.Equal(w, http.StatusOK, status)
	var all struct{ Messages []sandbox.Message }
	require.NoError(w, json.Unmarshal(body, &all))
	var to1 []sandbox.Message
	for _, m := range all.Messages {
		if m.To == to {
			to1 = append(to1, m)
		}
	}
	require.NotEmpty(w, to1)
	return to1
}

func (w *world) ok(method, path string, body any, headers ...string) []byte {
	w.Helper()
	status, answer := w.call(method, path, body, headers...)
	require.Less(w, status, 300, "%s %s: %s", method, path, answer)
	return answer
}

func (w *world) count(query string) (n int) {
	w.Helper()
	require.NoError(w, w.store.Pool.QueryRow(w.Context(), query).Scan(&n))
	return n
}

func (w *world) contact(email string) string {
	w.Helper()
	var found struct{ Contact string }
	require.NoError(w, json.Unmarshal(w.ok(http.MethodGet, "/v1/contacts?q="+url.QueryEscape(email), nil), &found))
	return found.Contact
}

func (w *world) journey(contact, campaign string) string {
	w.Helper()
	var list struct{ Items []struct{ ID string } }
	require.NoError(w, json.Unmarshal(w.ok(http.MethodGet, "/v1/journeys?campaign="+campaign+"&contact="+contact, nil), &list))
	require.NotEmpty(w, list.Items)
	return list.Items[0].ID
}
