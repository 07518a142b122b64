package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"scrip.dev/scrip/dev"
	"scrip.dev/scrip/starter"
)

// defaultURL is where scrip dev and scrip starter listen unless told otherwise.
const defaultURL = "http://127.0.0.1:8080"

// requestTimeout bounds what isn't an upload.
const requestTimeout = 60 * time.Second

// request is one call of the API.
type request struct {
	method, path string
	query        url.Values
	body         any       // marshalled as JSON; nil: none
	upload       io.Reader // instead of body
	kind         string    // Content-Type of upload
}

// call asks the API and returns its answer. What it refuses comes back as an
// error in its own words.
func (a *app) call(ctx context.Context, r request) ([]byte, error) {
	key, err := a.key()
	if err != nil {
		return nil, err
	}
	body, kind := r.upload, r.kind
	if r.body != nil {
		encoded, err := json.Marshal(r.body)
		if err != nil {
			return nil, fmt.Errorf("encoding the request: %w", err)
		}
		body, kind = bytes.NewReader(encoded), "application/json"
	}
	if r.upload == nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, requestTimeout)
		defer cancel()
	}
	address := strings.TrimRight(a.url, "/") + r.path
	if len(r.query) > 0 {
		address += "?" + r.query.Encode()
	}
	httpRequest, err := http.NewRequestWithContext(ctx, r.method, address, body)
	if err != nil {
		return nil, usage("%q is not the address of a running system; set SCRIP_URL to one such as http://127.0.0.1:8080", a.url)
	}
	httpRequest.Header.Set("Authorization", "Bearer "+key)
	httpRequest.Header.Set("User-Agent", "scrip-cli/"+a.version)
	if kind != "" {
		httpRequest.Header.Set("Content-Type", kind)
	}
	if r.method == http.MethodPost && r.upload == nil { // imports know a file again by themselves
		var random [16]byte
		_, _ = rand.Read(random[:])
		httpRequest.Header.Set("Idempotency-Key", "cli-"+hex.EncodeToString(random[:]))
	}
	// No time-out of the client's own: the context has one where there is one.
	response, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(httpRequest)
	if err != nil {
		return nil, a.unreachable(err)
	}
	defer response.Body.Close()
	if kind := response.Header.Get("Content-Type"); response.StatusCode < http.StatusBadRequest && !strings.Contains(kind, "json") {
		return nil, fmt.Errorf("%s answers, and not as Scrip does; check SCRIP_URL", a.url)
	}
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the answer of %s: it broke off; try again", a.url)
	}
	if response.StatusCode >= http.StatusBadRequest {
		return nil, a.refusal(response, answer)
	}
	return answer, nil
}

// unreachableError says that nobody answered.
type unreachableError struct{ text string }

func (e *unreachableError) Error() string { return e.text }

func (a *app) unreachable(err error) error {
	var network net.Error
	if errors.As(err, &network) && network.Timeout() {
		return &unreachableError{fmt.Sprintf("Scrip at %s did not answer in time; look at its log, or try again", a.url)}
	}
	if errors.Is(err, context.Canceled) {
		return errors.New("interrupted")
	}
	return &unreachableError{fmt.Sprintf("cannot reach Scrip at %s: is it running? Start it with `scrip dev`, or set SCRIP_URL to where it is", a.url)}
}

// apiError is what the API said.
type apiError struct{ starter.Problem }

func (e *apiError) Error() string {
	text := e.Detail
	for _, one := range e.Errors {
		if one.Location == "" {
			text += "\n  " + one.Message
		} else {
			text += "\n  " + one.Location + ": " + one.Message
		}
	}
	return text
}

func (a *app) refusal(response *http.Response, answer []byte) error {
	refused := &apiError{}
	if err := json.Unmarshal(answer, &refused.Problem); err != nil || refused.Detail == "" {
		return fmt.Errorf("%s answered %s, and not as Scrip does; check SCRIP_URL", a.url, response.Status)
	}
	return refused
}

// key is the API key of this shell or folder.
func (a *app) key() (string, error) {
	if key := a.env("SCRIP_API_KEY"); key != "" {
		return key, nil
	}
	if path := a.env("SCRIP_API_KEY_FILE"); path != "" {
		key, err := os.ReadFile(path)
		if err != nil {
			return "", fmt.Errorf("reading the key: %w", err)
		}
		return strings.TrimSpace(string(key)), nil
	}
	key, err := a.left("key")
	if err != nil {
		return "", fmt.Errorf("reading the key: %w", err)
	}
	if key != "" {
		return key, nil
	}
	return "", errors.New("there is no API key: set SCRIP_API_KEY, or stand in the folder where `scrip dev` runs; `scrip key create` makes one")
}

// left is what scrip dev left for other commands under a name in its state folder;
// empty where there is nothing.
func (a *app) left(name string) (string, error) {
	for _, folder := range []string{a.state, filepath.Join(a.project, dev.StateFolder)} {
		content, err := os.ReadFile(filepath.Join(folder, name))
		if err == nil {
			return strings.TrimSpace(string(content)), nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
	}
	return "", nil
}

// locate finds out where the running system is, unless it was said.
func (a *app) locate() error {
	if a.url != "" {
		return nil
	}
	url, err := a.left("url")
	if err != nil {
		return fmt.Errorf("reading where the running system is: %w", err)
	}
	if a.url = url; url == "" {
		a.url = defaultURL
	}
	return nil
}
