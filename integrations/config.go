package integrations

import (
	"fmt"
	"net/url"
	"strings"
)

// Problem is one thing wrong with a connection's settings.
type Problem struct {
	Key     string // as it stands in scrip.yaml: api_key
	Message string // what is wrong and what to write instead
}

// Problems are all that is wrong with one connection's settings at once.
type Problems []Problem

// Add notes a problem; the message says what to write instead.
func (p *Problems) Add(key, format string, args ...any) {
	*p = append(*p, Problem{key, fmt.Sprintf(format, args...)})
}

// Require notes that a key is missing; what says where its value is found.
func (p *Problems) Require(given bool, key, what string) {
	if !given {
		p.Add(key, "is missing; %s", what)
	}
}

// URL checks an address that is optional: http or https, a host, no credentials
// and nothing after the path.
func (p *Problems) URL(key, value string) {
	if value == "" {
		return
	}
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		p.Add(key, "is not an address; write it like https://api.example.com")
	case u.User != nil:
		p.Add(key, "holds a password; put credentials into their own keys")
	case u.RawQuery != "" || u.Fragment != "":
		p.Add(key, "has a query or fragment; leave them out")
	}
}

// Statuses checks a list of HTTP statuses that are retried.
func (p *Problems) Statuses(key string, statuses []int) {
	for _, status := range statuses {
		if status < 500 || status > 599 {
			p.Add(key, "lists %d; list only 5xx statuses with which the vendor is known to have taken nothing", status)
		}
	}
}

// Err gives the problems as an error, nil if there are none.
func (p Problems) Err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Key + " " + problem.Message
	}
	return strings.Join(lines, "\n")
}
