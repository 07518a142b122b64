package conformance

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/integrations"
)

// Webhooks is what a Source is tried with.
type Webhooks struct {
	Source integrations.Source
	// Sign makes the request that the vendor would send; called anew for each.
	Sign func(topic string, body []byte) integrations.Request
	// Signature names the headers without which a request is unsigned.
	Signature []string
	Topic     string
	Body      []byte // one that gives at least one event or piece of evidence
	Malformed []byte // one that no vendor sends
	Secrets   []string
}

// Source runs the suite for a vendor's webhooks.
func Source(t *testing.T, w Webhooks) {
	t.Run("accepts what is signed, under a key that a redelivery repeats", w.redelivery)
	t.Run("refuses a missing signature", w.missing)
	t.Run("refuses a wrong signature", w.wrong)
	t.Run("refuses an altered body", w.altered)
	t.Run("refuses a malformed body, at once or when it is read", w.malformed)
	t.Run("survives an oversized body", w.oversized)
	t.Run("normalises the same delivery to the same batch", w.normalises)
	t.Run("does not panic over foreign bodies", w.foreign)
	t.Run("prints no secret", func(t *testing.T) { Discreet(t, w.Source, w.Secrets...) })
}

func (w Webhooks) redelivery(t *testing.T) {
	first, err := w.Source.Receive(w.Sign(w.Topic, w.Body))
	require.NoError(t, err)
	require.NotEmpty(t, first.Key)
	require.LessOrEqual(t, len(first.Key), 200, "the key has to fit into the store's")
	again := w.Sign(w.Topic, w.Body)
	again.At = again.At.Add(time.Minute)
	second, err := w.Source.Receive(again)
	require.NoError(t, err)
	require.Equal(t, first.Key, second.Key)
	require.Equal(t, first.Topic, second.Topic)
	meta, err := json.Marshal(first.Meta)
	require.NoError(t, err)
	for _, secret := range w.Secrets {
		require.NotContains(t, string(meta), secret)
	}
}

func (w Webhooks) refused(t *testing.T, r integrations.Request, status int) {
	t.Helper()
	_, err := w.Source.Receive(r)
	var refusal *integrations.Refusal
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, status, refusal.Status)
	require.NotEmpty(t, refusal.Code)
	Discreet(t, err, w.Secrets...)
}

func (w Webhooks) missing(t *testing.T) {
	for _, header := range w.Signature {
		r := w.Sign(w.Topic, w.Body)
		r.Header.Del(header)
		w.refused(t, r, http.StatusUnauthorized)
		r.Header.Set(header, "")
		w.refused(t, r, http.StatusUnauthorized)
	}
	w.refused(t, integrations.Request{Topic: w.Topic, Header: http.Header{}, Body: w.Body, URL: w.Sign(w.Topic, w.Body).URL}, http.StatusUnauthorized)
}

func (w Webhooks) wrong(t *testing.T) {
	header := w.Signature[0]
	right := w.Sign(w.Topic, w.Body).Header.Get(header)
	for _, signature := range []string{"x", "AAAA", "=", right[1:], right + "A", strings.Repeat("A", 1<<16), "\u00e9\x00\xff"} {
		r := w.Sign(w.Topic, w.Body)
		r.Header.Set(header, signature)
		w.refused(t, r, http.StatusUnauthorized)
	}
}

func (w Webhooks) altered(t *testing.T) {
	for _, body := range [][]byte{append(bytes.Clone(w.Body), ' '), w.Body[:len(w.Body)-1], {}} {
		r := w.Sign(w.Topic, w.Body)
		r.Body = body
		if r.Header.Get(w.Signature[0]) == w.Sign(w.Topic, body).Header.Get(w.Signature[0]) {
			continue // a secret header doesn't cover the body
		}
		w.refused(t, r, http.StatusUnauthorized)
	}
}

func (w Webhooks) malformed(t *testing.T) {
	r := w.Sign(w.Topic, w.Malformed)
	if _, err := w.Source.Receive(r); err != nil {
		w.refused(t, r, http.StatusBadRequest)
		return
	}
	d := w.delivery(t)
	d.Body = w.Malformed
	_, err := integrations.Normalise(w.Source, d)
	require.Error(t, err)
}

func (w Webhooks) oversized(t *testing.T) {
	body := []byte(`{"a":"` + strings.Repeat("x", integrations.MaxWebhook) + `"}`)
	receipt, err := w.Source.Receive(w.Sign(w.Topic, body))
	if err != nil {
		var refusal *integrations.Refusal
		require.ErrorAs(t, err, &refusal)
		return
	}
	require.LessOrEqual(t, len(receipt.Key), 200)
}

func (w Webhooks) delivery(t *testing.T) integrations.Delivery {
	t.Helper()
	r := w.Sign(w.Topic, w.Body)
	receipt, err := w.Source.Receive(r)
	require.NoError(t, err)
	return integrations.Delivery{Connection: "a-connection", Topic: receipt.Topic, Meta: receipt.Meta,
		Body: r.Body, SentAt: receipt.SentAt, ReceivedAt: r.At}
}

func (w Webhooks) normalises(t *testing.T) {
	d := w.delivery(t)
	first, err := integrations.Normalise(w.Source, d)
	require.NoError(t, err)
	require.True(t, len(first.Events)+len(first.Evidence) > 0, "the body gives nothing")
	second, err := integrations.Normalise(w.Source, d)
	require.NoError(t, err)
	require.Equal(t, first, second)
	require.Equal(t, w.Body, d.Body)
	Batch(t, first)
}

func (w Webhooks) foreign(t *testing.T) {
	for _, body := range []string{"", "null", "[]", "{}", "7", `"x"`, `[null]`, `[[]]`, `{"a":{"b":[{}]}}`, "\x00", "a=b&c", "%zz"} {
		d := w.delivery(t)
		d.Body = []byte(body)
		require.NotPanics(t, func() { _, _ = w.Source.Normalise(d) }, "%q", body)
	}
}

// Batch checks what the dispatcher relies on in every batch.
func Batch(t *testing.T, b event.Batch) {
	t.Helper()
	orders := false
	for _, e := range b.Events {
		require.NotEmpty(t, e.Type)
		require.False(t, e.OccurredAt.IsZero(), "%s has no time", e.Type)
		code := strings.HasPrefix(e.Type, "code.")
		require.False(t, code && orders, "code events come before order events")
		require.True(t, !code || e.Code != "", "%s has no code", e.Type)
		orders = orders || strings.HasPrefix(e.Type, "order.")
	}
	for _, e := range b.Evidence {
		require.NotEmpty(t, e.Status)
		require.False(t, e.At.IsZero())
		require.True(t, e.Suppress == "" || e.Address != "", "a suppression needs its address")
	}
	_, err := json.Marshal(b)
	require.NoError(t, err)
}
