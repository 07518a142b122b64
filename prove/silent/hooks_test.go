package silent_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/dev/sandbox"
)

// hookCases are webhooks that are not taken. They are nobody's word yet, so they
// leave no row: the answer, the log and the metric tell of them.
var hookCases = []proofCase{
	{kind: hook, reason: "unknown_connection", happen: func(s *scene) {
		s.turnsAway("unknown", s.knock(http.MethodPost, "nowhere/"+s.topic(), nil, []byte(`{}`)))
	}},
	{kind: hook, reason: "method_not_allowed", happen: func(s *scene) {
		s.turnsAway("shop", s.knock(http.MethodPut, "shop/"+s.topic(), nil, []byte(`{}`)))
	}},
	{kind: hook, reason: "missing_signature", happen: func(s *scene) {
		s.turnsAway("shop", s.knock(http.MethodPost, "shop/"+s.topic(), nil, []byte(`{}`)))
	}},
	{kind: hook, reason: "bad_signature", happen: func(s *scene) {
		header := s.signed(s.delivery(), []byte(`{}`))
		s.turnsAway("shop", s.knock(http.MethodPost, "shop/"+s.topic(), header, []byte(`{"a": 1}`)))
	}},
	{kind: hook, reason: "wrong_topic", happen: func(s *scene) {
		d := s.delivery()
		d.Topic = "orders/paid"
		s.turnsAway("shop", s.knock(http.MethodPost, "shop/"+s.topic(), s.signed(d, []byte(`{}`)), []byte(`{}`)))
	}},
	{kind: hook, reason: "wrong_account", happen: func(s *scene) {
		d := s.delivery()
		d.Shop = "another.myshopify.com"
		s.turnsAway("shop", s.knock(http.MethodPost, "shop/"+s.topic(), s.signed(d, []byte(`{}`)), []byte(`{}`)))
	}},
	{kind: hook, reason: "malformed_body", happen: func(s *scene) {
		s.turnsAway("own", s.knock(http.MethodPost, "own/"+s.topic(), s.signedByUs(time.Now(), []byte(`{`)), []byte(`{`)))
	}},
	{kind: hook, reason: "body_too_large", happen: func(s *scene) {
		body := []byte(`{"a": "` + strings.Repeat("x", 1<<20) + `"}`)
		s.turnsAway("shop", s.knock(http.MethodPost, "shop/"+s.topic(), s.signed(s.delivery(), body), body))
	}},
	{kind: hook, reason: "stale_timestamp", happen: func(s *scene) {
		s.turnsAway("own", s.knock(http.MethodPost, "own/"+s.topic(), s.signedByUs(time.Now().Add(-time.Hour), []byte(`{}`)), []byte(`{}`)))
	}},
	{kind: hook, reason: "incomplete_body", happen: func(s *scene) {
		conn := s.begins("shop/" + s.topic())
		require.NoError(s, conn.Close()) // nobody is left to be answered
		s.counted("starter", `scrip_hooks_total{connection="shop",outcome="incomplete_body"}`)
	}},
	{kind: hook, reason: "slow_body", long: true, happen: func(s *scene) {
		conn := s.begins("shop/" + s.topic())
		defer conn.Close()
		s.counted("starter", `scrip_hooks_total{connection="shop",outcome="slow_body"}`)
	}},
	{kind: hook, reason: "unstorable", happen: func(s *scene) {
		_, err := s.w.Store.Pool.Exec(s.Context(), `ALTER TABLE delivery ADD CONSTRAINT silent CHECK (topic <> '`+s.topic()+`')`)
		require.NoError(s, err)
		s.turnsAway("shop", s.knock(http.MethodPost, "shop/"+s.topic(), s.signed(s.delivery(), []byte(`{}`)), []byte(`{}`)))
	}},
	{kind: hook, reason: "storage_unavailable", alone: true, happen: func(s *scene) {
		s.w.KillPostgres()
		answer := s.knock(http.MethodPost, "shop/"+s.topic(), s.signed(s.delivery(), []byte(`{}`)), []byte(`{}`))
		require.NoError(s, s.w.StartPostgres())
		s.w.Until(s, func() bool { return s.w.Store.Pool.Ping(s.Context()) == nil }, "the database")
		s.turnsAway("shop", answer)
	}},
}

// topic is the case's own, so that a row of it would be seen.
func (s *scene) topic() string { return "silent/" + s.c.reason }

func (s *scene) delivery() sandbox.ShopifyDelivery {
	return sandbox.ShopifyDelivery{Topic: s.topic(), Shop: s.Secrets.ShopifyDomain, TriggeredAt: time.Now()}
}

func (s *scene) signed(d sandbox.ShopifyDelivery, body []byte) http.Header {
	return sandbox.SignShopify(s.Secrets.ShopifyClientKey, d, body)
}

// signedByUs signs a webhook of our own systems.
func (s *scene) signedByUs(at time.Time, body []byte) http.Header {
	s.Helper()
	signer, err := standardwebhooks.NewWebhook(s.w.OwnSecret)
	require.NoError(s, err)
	signature, err := signer.Sign(s.Token, at, body)
	require.NoError(s, err)
	header := http.Header{}
	header.Set(standardwebhooks.HeaderWebhookID, s.Token)
	header.Set(standardwebhooks.HeaderWebhookTimestamp, fmt.Sprint(at.Unix()))
	header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	return header
}

// knock sends a webhook once and gives the code of the answer.
func (s *scene) knock(method, path string, header http.Header, body []byte) string {
	s.Helper()
	request, err := http.NewRequestWithContext(s.Context(), method, s.Base+"/hooks/"+path, bytes.NewReader(body))
	require.NoError(s, err)
	if header != nil {
		request.Header = header
	}
	answer, err := http.DefaultClient.Do(request)
	require.NoError(s, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(s, err)
	var problem struct{ Code, Detail string }
	require.NoError(s, json.Unmarshal(text, &problem), string(text))
	require.NotEmpty(s, problem.Detail)
	return problem.Code
}

// turnsAway demands the answer and the metric, and that nothing was stored.
func (s *scene) turnsAway(connection, answer string) {
	s.Helper()
	require.Equal(s, s.c.reason, answer)
	s.counts("starter", `scrip_hooks_total{connection="`+connection+`",outcome="`+s.c.reason+`"}`)
	require.Zero(s, s.w.Count(s, `SELECT count(*) FROM delivery WHERE topic = $1`, s.topic()))
}

// begins sends the beginning of a webhook.
func (s *scene) begins(path string) net.Conn {
	s.Helper()
	base, err := url.Parse(s.Base)
	require.NoError(s, err)
	conn, err := net.Dial("tcp", base.Host)
	require.NoError(s, err)
	_, err = fmt.Fprintf(conn, "POST /hooks/%s HTTP/1.1\r\nHost: %s\r\nContent-Length: 100\r\n\r\n{", path, base.Host)
	require.NoError(s, err)
	return conn
}
