package shopify

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"scrip.dev/scrip/integrations"
)

// renewEarly is how long before its end a token is no longer used.
const renewEarly = 5 * time.Minute

// longestToken is how long a token is believed to live at most, in seconds. A number
// without measure, of either sign, would overflow: each call would fetch a token of
// its own, or none would ever fetch another.
const longestToken = 24 * 60 * 60

// token gives the access token: the one in the settings, or one fetched by the
// client-credentials grant, which lives for a day.
//
// https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens/client-credentials-grant
type token struct {
	cfg      *Config
	http     *http.Client
	classify integrations.Classifier
	now      func() time.Time

	mu     sync.Mutex
	value  integrations.Secret
	expiry time.Time
}

func (t *token) get(ctx context.Context) (string, error) {
	if !t.cfg.AccessToken.Empty() {
		return t.cfg.AccessToken.Reveal(), nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.value.Empty() || !t.now().Before(t.expiry.Add(-renewEarly)) {
		if err := t.fetch(ctx); err != nil {
			return "", err
		}
	}
	return t.value.Reveal(), nil
}

// drop forgets a token that was refused; false if it is the one in the settings.
func (t *token) drop(refused string) bool {
	if !t.cfg.AccessToken.Empty() {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.value.Reveal() == refused {
		t.value = ""
	}
	return true
}

// fetch gets a new token. Asking changes nothing at the shop, so an unknown
// outcome may be tried again.
func (t *token) fetch(ctx context.Context) error {
	const fetching = "fetching an access token"
	form := url.Values{
		"grant_type":    {"client_credentials"},
		"client_id":     {t.cfg.ClientID},
		"client_secret": {t.cfg.ClientSecret.Reveal()},
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost,
		t.cfg.address()+"/admin/oauth/access_token", strings.NewReader(form.Encode()))
	if err != nil {
		return t.classify.Refused(fetching, integrations.Invalid, "address")
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	answer, err := t.http.Do(request)
	if err != nil {
		return harmless(t.classify.Transport(fetching, err))
	}
	body, err := integrations.ReadAnswer(answer, 64<<10)
	if failure := t.classify.Status(fetching, answer.StatusCode, answer.Header); failure != nil {
		if answer.StatusCode == http.StatusBadRequest {
			failure.Class = integrations.Auth // invalid_client, or an app of another organisation
		}
		return harmless(failure)
	}
	var granted struct {
		Token     string `json:"access_token"`
		ExpiresIn int64  `json:"expires_in"` // seconds
	}
	if err != nil || json.Unmarshal(body, &granted) != nil || granted.Token == "" {
		return t.classify.Refused(fetching, integrations.Retry, "malformed_answer")
	}
	t.value = integrations.Secret(granted.Token)
	t.expiry = t.now().Add(time.Duration(max(0, min(granted.ExpiresIn, longestToken))) * time.Second)
	return nil
}

func harmless(failure *integrations.Error) *integrations.Error {
	if failure.Class == integrations.Unknown {
		failure.Class = integrations.Retry
	}
	return failure
}
