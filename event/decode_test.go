package event_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/event"
)

func TestDecodeJSON_ReadsEveryKeyOfThePublicShape(t *testing.T) {
	t.Parallel()
	events, err := event.DecodeJSON([]byte(`{
		"type": "order.paid", "id": "A-1001", "occurred_at": "2026-11-21T10:00:00+01:00",
		"contact": {"id": "c_1", "email": "anna@example.com", "phone": "+4915112345678", "external_id": "17",
			"first_name": "Anna", "last_name": "Muster", "locale": "de-DE", "time_zone": "Europe/Berlin", "country": "de",
			"tags": ["vip"], "attributes": {"size": 38},
			"consent": {"email": true, "sms": {"state": "denied", "source": "hotline", "at": "2026-01-02T03:04:05Z"}, "whatsapp": "pending"}},
		"token": "cart-1", "code": "TEN-4711",
		"order": {"id": "A-1001", "total": "49.90", "discount": 4.99, "currency": "eur"},
		"fields": {"coffee": true, "order": {"recurring": true}}}`))
	require.NoError(t, err)
	require.Len(t, events, 1)
	e := events[0]
	require.Equal(t, "order.paid", e.Type)
	require.True(t, e.OccurredAt.Equal(time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)))
	require.Equal(t, []event.Identity{
		{Kind: event.External, Realm: event.OwnRealm, Value: "c_1"}, {Kind: event.Email, Value: "anna@example.com"},
		{Kind: event.Phone, Value: "+4915112345678"}, {Kind: event.External, Value: "17"},
	}, e.Person.Identities)
	require.Equal(t, []event.Consent{
		{Channel: "email", State: event.Granted},
		{Channel: "sms", State: event.Denied, Source: "hotline", At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		{Channel: "whatsapp", State: event.Pending},
	}, e.Person.Consents)
	require.Equal(t, "DE", e.Person.Country)
	require.Equal(t, "49.9", e.Order.Total.String())
	require.Equal(t, "4.99", e.Order.Discount.String())
	require.Equal(t, "EUR", e.Order.Currency)
	require.Equal(t, true, e.Fields["coffee"])
	require.Equal(t, "A-1001", e.Fields["id"])
	require.Equal(t, true, e.Fields["order"].(map[string]any)["recurring"], "own fields of the order stay")
	require.Equal(t, 49.9, e.Fields["order"].(map[string]any)["total"])
}

func TestDecodeJSON_ReadsAnArray(t *testing.T) {
	t.Parallel()
	events, err := event.DecodeJSON([]byte(` [{"type": "a.b"}, {"type": "c.d"}] `))
	require.NoError(t, err)
	require.Len(t, events, 2)
}

func TestDecodeJSON_SaysWhatIsWrongWithoutRepeatingIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ body, says string }{
		"empty":             {``, "the body is empty"},
		"not JSON":          {`{"type": order}`, "not valid JSON near byte 10"},
		"cut off":           {`{"type": "a.b"`, "not valid JSON"},
		"a number":          {`7`, "must be a JSON object"},
		"empty array":       {`[]`, "send 1 to 1000"},
		"second of two":     {`[{"type":"a.b"},{"typ":"c.d"}]`, `event 2: the key "typ" is not known; did you mean "type"?`},
		"misspelt":          {`{"type":"a.b","feilds":{}}`, `did you mean "fields"?`},
		"far off":           {`{"type":"a.b","shoe_size":38}`, "put own values under fields"},
		"misspelt below":    {`{"type":"a.b","contact":{"emial":"x"}}`, `did you mean "contact.email"?`},
		"no type":           {`{}`, "type is missing"},
		"undotted":          {`{"type":"paid"}`, "type is missing or malformed"},
		"wrong kind":        {`{"type":7}`, "type must be a string, not number"},
		"wrong kind below":  {`{"type":"a.b","contact":{"email":7}}`, "contact.email must be a string"},
		"fields a list":     {`{"type":"a.b","fields":[1]}`, "fields must be an object"},
		"contact a string":  {`{"type":"a.b","contact":"anna@example.com"}`, "contact must be an object"},
		"bad time":          {`{"type":"a.b","occurred_at":"yesterday"}`, "2026-11-21T10:00:00Z"},
		"bad zone":          {`{"type":"a.b","contact":{"time_zone":"Mars/Olympus"}}`, "IANA"},
		"bad consent":       {`{"type":"a.b","contact":{"consent":{"email":"maybe"}}}`, "contact.consent.email must be true"},
		"no currency":       {`{"type":"a.b","order":{"id":"1","total":"1.00"}}`, "order.currency is missing"},
		"a huge exponent":   {`{"type":"a.b","order":{"id":"1","total":1e999999999,"currency":"EUR"}}`, "order.total must be an amount"},
		"order without id":  {`{"type":"a.b","order":{"total":"1.00","currency":"EUR"}}`, "order.id is missing"},
		"code event, none":  {`{"type":"code.redeemed"}`, "code is missing"},
		"token too long":    {`{"type":"a.b","token":"` + strings.Repeat("x", 300) + `"}`, "token is longer"},
		"malformed channel": {`{"type":"a.b","contact":{"consent":{"E Mail":true}}}`, "channel"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := event.DecodeJSON([]byte(c.body))
			require.ErrorContains(t, err, c.says)
			require.NotContains(t, err.Error(), "anna@example.com")
		})
	}
}
