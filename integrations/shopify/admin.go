package shopify

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"scrip.dev/scrip/integrations"
)

// maxDetail is how much of an error's text is kept, in bytes.
const maxDetail = 2000

// Admin calls the shop's Admin GraphQL API.
type Admin struct {
	cfg      *Config
	http     *http.Client
	classify integrations.Classifier
	pacer    *integrations.Pacer
	token    *token
}

var (
	_ integrations.Issuer     = (*Admin)(nil)
	_ integrations.Reconciler = (*Admin)(nil)
	_ integrations.Checker    = (*Admin)(nil)
)

func newAdmin(c *Config, s integrations.Settings) *Admin {
	classify := integrations.Classifier{Vendor: kind, RetryOn: c.RetryOn, Now: s.Now}
	return &Admin{
		cfg:      c,
		http:     s.HTTP,
		classify: classify,
		pacer:    integrations.NewPacer(kind, c.Rate),
		token:    &token{cfg: c, http: s.HTTP, classify: classify, now: s.Now},
	}
}

// graphQLAnswer is the envelope of every answer. Errors is a list, or one string
// where the request wasn't let in.
type graphQLAnswer struct {
	Data       json.RawMessage `json:"data"`
	Errors     json.RawMessage `json:"errors"`
	Extensions struct {
		Cost queryCost `json:"cost"`
	} `json:"extensions"`
}

type graphQLError struct {
	Message    string `json:"message"`
	Extensions struct {
		Code string    `json:"code"`
		Cost queryCost `json:"cost"`
	} `json:"extensions"`
}

type queryCost struct {
	Requested float64 `json:"requestedQueryCost"`
	Throttle  struct {
		Available float64 `json:"currentlyAvailable"`
		Restore   float64 `json:"restoreRate"` // points a second
	} `json:"throttleStatus"`
}

// query runs one document and decodes its data.
func (a *Admin) query(ctx context.Context, doing, document string, variables map[string]any, into any) error {
	if err := a.pacer.Take(ctx, doing); err != nil {
		return err
	}
	access, err := a.token.get(ctx)
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{"query": document, "variables": variables})
	if err != nil {
		return a.classify.Refused(doing, integrations.Invalid, "variables_not_json")
	}
	address := a.cfg.address() + "/admin/api/" + a.cfg.APIVersion + "/graphql.json"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return a.classify.Refused(doing, integrations.Invalid, "address")
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Shopify-Access-Token", access)
	answer, err := a.http.Do(request)
	if err != nil {
		return a.classify.Transport(doing, err)
	}
	read, err := integrations.ReadAnswer(answer, 4<<20)
	if failure := a.classify.Status(doing, answer.StatusCode, answer.Header); failure != nil {
		return a.refused(failure, answer.StatusCode, access, read)
	}
	if err != nil {
		return a.classify.Refused(doing, integrations.Unknown, "answer_lost")
	}
	return a.decode(doing, read, into)
}

// refused completes the error of a bad status.
func (a *Admin) refused(failure *integrations.Error, status int, access string, body []byte) error {
	failure.Detail = string(body[:min(len(body), maxDetail)])
	if status == http.StatusUnauthorized && a.token.drop(access) {
		// The token was a fetched one and is fetched anew; if that is refused too,
		// a person has to look.
		failure.Class = integrations.Retry
	}
	return failure
}

func (a *Admin) decode(doing string, read []byte, into any) error {
	var envelope graphQLAnswer
	if err := json.Unmarshal(read, &envelope); err != nil {
		return a.classify.Refused(doing, integrations.Unknown, "malformed_answer")
	}
	if len(envelope.Errors) > 0 && !slices.Contains([]string{"null", "[]"}, string(envelope.Errors)) {
		return a.graphQLFailure(doing, envelope)
	}
	if err := json.Unmarshal(envelope.Data, into); err != nil {
		return a.classify.Refused(doing, integrations.Unknown, "malformed_answer")
	}
	return nil
}

// graphQLFailure classes errors that come with status 200.
//
// https://shopify.dev/docs/api/admin-graphql#status_and_error_codes
func (a *Admin) graphQLFailure(doing string, envelope graphQLAnswer) error {
	var failures []graphQLError
	if err := json.Unmarshal(envelope.Errors, &failures); err != nil || len(failures) == 0 {
		failure := a.classify.Refused(doing, integrations.Auth, "refused")
		failure.Detail = string(envelope.Errors[:min(len(envelope.Errors), maxDetail)])
		return failure
	}
	first := failures[0]
	failure := a.classify.Refused(doing, integrations.Invalid, first.Extensions.Code)
	failure.Detail = first.Message[:min(len(first.Message), maxDetail)]
	switch first.Extensions.Code {
	case "THROTTLED":
		failure.Class = integrations.RateLimited
		cost := envelope.Extensions.Cost
		if cost.Requested == 0 {
			cost = first.Extensions.Cost
		}
		failure.RetryAfter = cost.wait()
	case "ACCESS_DENIED", "SHOP_INACTIVE":
		failure.Class = integrations.Auth
	case "INTERNAL_SERVER_ERROR", "TIMEOUT":
		failure.Class = integrations.Unknown
	case "":
		failure.Code = "graphql"
	}
	return failure
}

// wait is how long it takes until as many points are there as were asked for.
func (c queryCost) wait() time.Duration {
	missing := c.Requested - c.Throttle.Available
	if c.Throttle.Restore <= 0 || missing <= 0 {
		return time.Second
	}
	return time.Duration(math.Ceil(min(missing/c.Throttle.Restore, 600)*1000)) * time.Millisecond
}

const checkDocument = `query check {
  currentAppInstallation { accessScopes { handle } }
}`

// neededScopes are those without which a part of the connection can't work.
// A write scope includes reading.
var neededScopes = []string{"write_discounts", "read_orders", "read_customers"}

// Check asks which scopes the app has in the shop.
func (a *Admin) Check(ctx context.Context) error {
	const checking = "checking the app's access"
	var data struct {
		Installation struct {
			Scopes []struct {
				Handle string `json:"handle"`
			} `json:"accessScopes"`
		} `json:"currentAppInstallation"`
	}
	if err := a.query(ctx, checking, checkDocument, nil, &data); err != nil {
		return err
	}
	granted := map[string]bool{}
	for _, scope := range data.Installation.Scopes {
		granted[scope.Handle] = true
		granted[strings.Replace(scope.Handle, "write_", "read_", 1)] = true
	}
	var missing []string
	for _, scope := range neededScopes {
		if !granted[scope] {
			missing = append(missing, scope)
		}
	}
	if len(missing) > 0 {
		return a.classify.Refused(checking, integrations.Auth, "missing scopes: "+strings.Join(missing, ", "))
	}
	return nil
}
