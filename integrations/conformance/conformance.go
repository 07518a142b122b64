// Package conformance is the suite that every vendor runs in its tests: what the
// rest of the project relies on, whatever the vendor.
package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml/parser"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/integrations"
)

// Settings gives a vendor's New a connection written in YAML, decoded as
// strictly as the project does it.
func Settings(name, text string, client *http.Client) integrations.Settings {
	if client == nil {
		client = integrations.NewHTTPClient(integrations.HTTPOptions{})
	}
	return integrations.Settings{
		Name:   name,
		Decode: func(into any) error { return decode(text, into) },
		HTTP:   client,
		Now:    time.Now,
	}
}

// Answers is a client that is always answered the same.
func Answers(status int, header http.Header, body []byte) *http.Client {
	return &http.Client{
		Transport: answer(func(r *http.Request) *http.Response {
			return &http.Response{StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, ContentLength: -1, Header: header,
				Body: io.NopCloser(bytes.NewReader(body)), Request: r}
		}),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

type answer func(*http.Request) *http.Response

func (a answer) RoundTrip(r *http.Request) (*http.Response, error) { return a(r), nil }

func decode(text string, into any) error {
	file, err := parser.ParseBytes([]byte(text), 0)
	if err != nil {
		return err
	}
	return integrations.DecodeYAML(file.Docs[0].Body, into)
}

// Config checks that the YAML is refused with one problem for each of the keys.
func Config(t *testing.T, d integrations.Descriptor, text string, keys ...string) {
	t.Helper()
	_, err := d.New(Settings("a-connection", text, nil))
	var problems integrations.Problems
	require.ErrorAs(t, err, &problems)
	var named []string
	for _, p := range problems {
		named = append(named, p.Key)
		require.NotEmpty(t, p.Message)
	}
	require.ElementsMatch(t, keys, named, "the problems are:\n%v", err)
}

// Samples opens a file of signature vectors or bodies from outside, under
// SCRIP_SAMPLES, and skips the test where that isn't set.
func Samples(t *testing.T, path string) []byte {
	t.Helper()
	return outside(t, "SCRIP_SAMPLES", path)
}

// Contract opens a vendor's published API description under SCRIP_CONTRACTS, and
// skips the test where that isn't set.
func Contract(t *testing.T, path string) []byte {
	t.Helper()
	return outside(t, "SCRIP_CONTRACTS", path)
}

func outside(t *testing.T, variable, path string) []byte {
	t.Helper()
	root := os.Getenv(variable)
	if root == "" {
		t.Skipf("%s is not set; it names the folder in which %s would be found", variable, path)
	}
	data, err := os.ReadFile(filepath.Join(root, path))
	require.NoError(t, err)
	return data
}

// Discreet checks that nothing that is printed of a value holds a secret or
// personal data.
func Discreet(t *testing.T, value any, secrets ...string) {
	t.Helper()
	printed := []string{fmt.Sprintf("%v", value), fmt.Sprintf("%+v", value), fmt.Sprintf("%#v", value)}
	if err, ok := value.(error); ok {
		printed = []string{err.Error()}
		for inner := err; inner != nil; inner = errors.Unwrap(inner) {
			printed = append(printed, inner.Error())
		}
	} else if data, err := json.Marshal(value); err == nil {
		printed = append(printed, string(data))
	}
	for _, text := range printed {
		for _, secret := range secrets {
			require.False(t, strings.Contains(text, secret), "%q is printed: %s", secret, text)
		}
	}
}
