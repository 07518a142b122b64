// Package httpcall calls own systems and any JSON API from a `call` step.
package httpcall

import (
	"bytes"
	"context"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"scrip.dev/scrip/integrations"
)

const (
	kind = "http"
	// maxAnswer bounds what is kept of an answer: it stands in steps.ID.json.
	maxAnswer   = 256 << 10
	maxDetail   = 2000
	longestCall = 25 * time.Second
	calling     = "calling an API"
)

// Descriptor is the vendor's entry in the catalogue.
var Descriptor = integrations.Descriptor{
	Kind:  kind,
	Title: "HTTP API",
	Docs:  "https://www.rfc-editor.org/rfc/rfc9110",
	Does:  []string{"makes the requests of `call` steps and hands their JSON answers on"},
	Example: `kind: http
base_url: https://api.example.com/v1
headers:
  Authorization: Bearer ${EXAMPLE_TOKEN}
timeout: 10s                         # optional, at most 25s
allow_private: false                 # true: may also call addresses inside the own network
rate: 10/s                           # optional
`,
	New: New,
}

// Config is a connection's settings.
type Config struct {
	BaseURL string                         `yaml:"base_url"` // paths are below it
	Headers map[string]integrations.Secret `yaml:"headers"`
	Timeout time.Duration                  `yaml:"timeout"` // default 15 s, at most 25 s
	// AllowPrivate lets private, loopback and link-local addresses be called.
	AllowPrivate bool              `yaml:"allow_private"`
	RetryOn      []int             `yaml:"retry_on"` // statuses known to have done nothing
	Rate         integrations.Rate `yaml:"rate"`
}

func (c *Config) validate() error {
	var p integrations.Problems
	p.Require(c.BaseURL != "", "base_url", "write the address that paths are below")
	p.URL("base_url", c.BaseURL)
	for name, value := range c.Headers {
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value.Reveal()) {
			p.Add("headers."+name, "can't be sent; a name has no spaces, a value no line breaks")
		}
		if reserved[http.CanonicalHeaderKey(name)] {
			p.Add("headers."+name, "is set by the call itself; leave it out")
		}
	}
	if c.Timeout < 0 || c.Timeout > longestCall {
		p.Add("timeout", "is out of bounds; write a duration up to %s", longestCall)
	}
	p.Statuses("retry_on", c.RetryOn)
	return p.Err()
}

var reserved = map[string]bool{"Host": true, "Content-Length": true, "Content-Type": true, "Transfer-Encoding": true, "Connection": true}

// API is the Caller.
type API struct {
	cfg      *Config
	base     *url.URL
	http     *http.Client
	classify integrations.Classifier
	pacer    *integrations.Pacer
}

var _ integrations.Caller = (*API)(nil)

// New makes a connection: a Caller with a client of its own, whose guard depends
// on allow_private.
func New(s integrations.Settings) (any, error) {
	c := &Config{Timeout: 15 * time.Second}
	if err := s.Decode(c); err != nil {
		return nil, err
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	base, err := url.Parse(strings.TrimRight(c.BaseURL, "/"))
	if err != nil {
		return nil, err
	}
	return &API{
		cfg:      c,
		base:     base,
		http:     integrations.NewHTTPClient(integrations.HTTPOptions{Timeout: c.Timeout, PublicOnly: !c.AllowPrivate}),
		classify: integrations.Classifier{Vendor: kind, RetryOn: c.RetryOn, Now: s.Now},
		pacer:    integrations.NewPacer(kind, c.Rate),
	}, nil
}

// Call makes one request below the base address, with body as JSON unless it is
// nil, and gives the JSON answer: nil where the answer is empty or not JSON. Its
// errors are *integrations.Error; a GET or HEAD that ended without an answer may
// be tried again, as it has no effect.
func (a *API) Call(ctx context.Context, method, target string, body any) (any, error) {
	if err := a.pacer.Take(ctx, calling); err != nil {
		return nil, err
	}
	request, err := a.request(ctx, method, target, body)
	if err != nil {
		return nil, err
	}
	answer, err := a.http.Do(request)
	if err != nil {
		return nil, repeatable(method, a.classify.Transport(calling, err))
	}
	read, err := integrations.ReadAnswer(answer, maxAnswer)
	if failure := a.classify.Status(calling, answer.StatusCode, answer.Header); failure != nil {
		failure.Detail = string(read[:min(len(read), maxDetail)])
		return nil, repeatable(method, failure)
	}
	if err != nil {
		return nil, repeatable(method, a.classify.Transport(calling, err))
	}
	return a.decode(method, answer.Header, read)
}

func (a *API) decode(method string, header http.Header, read []byte) (any, error) {
	media, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	if len(bytes.TrimSpace(read)) == 0 || (media != "application/json" && !strings.HasSuffix(media, "+json")) {
		return nil, nil
	}
	var answer any
	if err := json.Unmarshal(read, &answer); err != nil {
		return nil, repeatable(method, a.classify.Refused(calling, integrations.Unknown, "answer_not_json"))
	}
	return answer, nil
}

func (a *API) request(ctx context.Context, method, target string, body any) (*http.Request, error) {
	method = strings.ToUpper(method)
	if !methods[method] {
		return nil, a.classify.Refused(calling, integrations.Invalid, "method")
	}
	address, ok := a.below(target)
	if !ok {
		return nil, a.classify.Refused(calling, integrations.Invalid, "path_outside_base_url")
	}
	var encoded []byte
	if body != nil {
		var err error
		if encoded, err = json.Marshal(body); err != nil {
			return nil, a.classify.Refused(calling, integrations.Invalid, "body_not_json")
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, address.String(), bytes.NewReader(encoded))
	if err != nil {
		return nil, a.classify.Refused(calling, integrations.Invalid, "address")
	}
	request.Header.Set("Accept", "application/json")
	if encoded != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	for name, value := range a.cfg.Headers {
		request.Header.Set(name, value.Reveal())
	}
	return request, nil
}

var methods = map[string]bool{
	http.MethodGet: true, http.MethodHead: true, http.MethodPost: true,
	http.MethodPut: true, http.MethodPatch: true, http.MethodDelete: true,
}

// below resolves a path, which may have a query, to an address below the base:
// paths are written with values from events, which must not lead elsewhere.
func (a *API) below(target string) (*url.URL, bool) {
	parsed, err := url.Parse(target)
	if err != nil || parsed.IsAbs() || parsed.Host != "" || parsed.User != nil || parsed.Opaque != "" {
		return nil, false
	}
	for _, part := range strings.Split(parsed.Path, "/") {
		if part == ".." || part == "." {
			return nil, false
		}
	}
	address := *a.base
	address.Path = a.base.Path + path.Join("/", parsed.Path)
	address.RawPath = ""
	if parsed.RawPath != "" {
		address.RawPath = a.base.EscapedPath() + path.Join("/", parsed.RawPath)
	}
	if strings.HasSuffix(parsed.Path, "/") && !strings.HasSuffix(address.Path, "/") {
		address.Path += "/"
		if address.RawPath != "" {
			address.RawPath += "/"
		}
	}
	address.RawQuery = parsed.RawQuery
	return &address, true
}

func repeatable(method string, failure *integrations.Error) *integrations.Error {
	safe := strings.EqualFold(method, http.MethodGet) || strings.EqualFold(method, http.MethodHead)
	if safe && failure.Class == integrations.Unknown {
		failure.Class = integrations.Retry
	}
	return failure
}
