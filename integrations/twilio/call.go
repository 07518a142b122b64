package twilio

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/twilio/twilio-go/client"
	api "github.com/twilio/twilio-go/rest/api/v2010"

	"scrip.dev/scrip/integrations"
)

// call is one call through the SDK. It stands between the SDK and the
// connection's transport to give the request its context, which the SDK has no
// way for, and its address; and to keep the answer's status and header, which
// the SDK throws away.
type call struct {
	ctx    context.Context
	sender *Sender
	// fresh asks for a connection of its own: an answer that is left over on a
	// connection must not be taken for the answer to this call.
	fresh  bool
	status int
	header http.Header
}

func (s *Sender) call(ctx context.Context) *call { return &call{ctx: ctx, sender: s} }

// api is the SDK's client for this one call.
func (c *call) api() *api.ApiService {
	cfg, shared := c.sender.cfg, c.sender.settings.HTTP
	user, password := cfg.AccountSID, cfg.AuthToken
	if cfg.APIKey != "" {
		user, password = cfg.APIKey, cfg.APISecret
	}
	base := &client.Client{
		Credentials: client.NewCredentials(user, password.Reveal()),
		HTTPClient:  &http.Client{Transport: c, Timeout: shared.Timeout, CheckRedirect: shared.CheckRedirect},
	}
	base.SetAccountSid(cfg.AccountSID)
	// Made by hand: NewRequestHandler takes a region from the environment.
	return api.NewApiService(&client.RequestHandler{Client: base})
}

// RoundTrip sends the SDK's request to the connection's address.
func (c *call) RoundTrip(request *http.Request) (*http.Response, error) {
	address, err := url.Parse(c.sender.cfg.address())
	if err != nil {
		return nil, err
	}
	ctx, stop := either(c.ctx, request.Context())
	defer stop()
	sent := request.Clone(ctx)
	sent.URL.Scheme, sent.URL.Host = address.Scheme, address.Host
	sent.URL.Path = strings.TrimRight(address.Path, "/") + sent.URL.Path
	sent.Host = ""
	sent.Close = c.fresh
	answer, err := c.sender.settings.HTTP.Transport.RoundTrip(sent)
	if err != nil {
		return nil, err
	}
	c.status, c.header = answer.StatusCode, answer.Header
	// The SDK doesn't close the bodies of errors, so it gets a copy.
	body, err := integrations.ReadAnswer(answer, 1<<20)
	if err != nil {
		body = nil
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	return answer, nil
}

// either ends with the first of two contexts and has the values of the first;
// the second carries the client's time-out.
func either(ctx, timeout context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(timeout, func() { cancel(context.Cause(timeout)) })
	return ctx, func() { stop(); cancel(nil) }
}
