package config

import (
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/integrations/catalog"
)

// Connections are the project's accounts at vendors, ready for use.
type Connections struct {
	defaults map[string]string
	opened   map[string]Opened
	names    []string
}

// Opened is one connection with what its vendor's folder made of it. Vendor
// fulfils those of the contracts of package integrations that it can.
type Opened struct {
	Connection
	Vendor any
}

// Open makes the vendors' clients; it calls nobody. now is the wall clock. All
// that is wrong with the vendors' settings comes back at once as Problems.
func (c *Config) Open(now func() time.Time) (*Connections, error) {
	opened := &Connections{defaults: c.Defaults, opened: map[string]Opened{}, names: c.ConnectionNames()}
	var problems Problems
	for _, name := range opened.names {
		connection := c.Connections[name]
		vendor, err := connection.open(c.httpTimeout(), now)
		if err != nil {
			problems = append(problems, c.vendorProblems(name, err)...)
			continue
		}
		opened.opened[name] = Opened{connection, vendor}
	}
	return opened, problems.err()
}

// httpTimeout ends a call within worker.call_timeout, so that it is the client
// that says what was written, not the deadline of what called it.
func (c *Config) httpTimeout() time.Duration { return c.Worker.CallTimeout * 9 / 10 }

func (c Connection) open(timeout time.Duration, now func() time.Time) (any, error) {
	descriptor, err := catalog.Descriptor(c.Kind)
	if err != nil {
		return nil, integrations.Problems{{Key: "kind", Message: err.Error()}}
	}
	return descriptor.New(integrations.Settings{
		Name: c.Name,
		Decode: func(into any) error {
			if len(c.settings) == 0 {
				return nil
			}
			return integrations.DecodeYAML(ast.Mapping(c.settings[0].GetToken(), false, c.settings...), into)
		},
		HTTP: integrations.NewHTTPClient(integrations.HTTPOptions{Timeout: timeout}),
		Now:  now,
	})
}

// vendorProblems points at the keys that a vendor's settings were refused for.
func (c *Config) vendorProblems(name string, err error) Problems {
	at := "connections." + name
	var refused integrations.Problems
	if errors.As(err, &refused) {
		problems := make(Problems, len(refused))
		for i, p := range refused {
			problems[i] = Problem{c.pos(at + "." + p.Key), at + "." + p.Key, p.Message}
		}
		return problems
	}
	if pos, message := positionOf(err); pos.Line > 0 {
		return Problems{{pos, at, message}}
	}
	return Problems{{c.pos(at), at, err.Error()}}
}

// ErrNoConnection is wrapped where a connection is not in scrip.yaml or can't do
// what is asked of it.
var ErrNoConnection = errors.New("no such connection")

// Names are sorted.
func (c *Connections) Names() []string { return c.names }

// Get finds a connection.
func (c *Connections) Get(name string) (Opened, error) {
	opened, ok := c.opened[name]
	if !ok {
		return Opened{}, fmt.Errorf("%w: %q is not under connections in scrip.yaml", ErrNoConnection, name)
	}
	return opened, nil
}

// OfAccount gives a connection's name and those of the others that belong to the
// same account of the same vendor.
func (c *Connections) OfAccount(name string) []string {
	names := []string{name}
	opened := c.opened[name]
	member, ok := opened.Vendor.(integrations.Member)
	if !ok {
		return names
	}
	account := member.Account()
	for _, other := range c.names {
		also, ok := c.opened[other].Vendor.(integrations.Member)
		if !ok || other == name || c.opened[other].Kind != opened.Kind {
			continue
		}
		if slices.ContainsFunc(also.Account(), func(known string) bool { return slices.Contains(account, known) }) {
			names = append(names, other)
		}
	}
	return names
}

// Source finds the connection whose webhooks come in under a name.
func (c *Connections) Source(name string) (integrations.Source, error) {
	return vendor[integrations.Source](c, name, "sends no webhooks")
}

// Channel finds a connection that sends messages.
func (c *Connections) Channel(name string) (integrations.Channel, error) {
	return vendor[integrations.Channel](c, name, "sends no messages")
}

// Issuer finds a shop in which codes are made; "" is the project's shop.
func (c *Connections) Issuer(name string) (integrations.Issuer, error) {
	if name == "" {
		var err error
		if name, err = c.Shop(); err != nil {
			return nil, err
		}
	}
	return vendor[integrations.Issuer](c, name, "makes no codes")
}

// Caller finds a connection that `call` steps use.
func (c *Connections) Caller(name string) (integrations.Caller, error) {
	return vendor[integrations.Caller](c, name, "answers no calls")
}

// Shop is the name of the connection that a `shop` pool means when it names none.
func (c *Connections) Shop() (string, error) {
	return c.standard("shop", func(o Opened) bool { _, ok := o.Vendor.(integrations.Issuer); return ok })
}

// DefaultChannel is the name of the connection that sends on a channel where a
// campaign names none: the one under defaults, else the only one there is.
func (c *Connections) DefaultChannel(channel string) (string, error) {
	return c.standard(channel, func(o Opened) bool {
		sender, ok := o.Vendor.(integrations.Channel)
		return ok && sender.Channel() == channel
	})
}

func (c *Connections) standard(use string, fits func(Opened) bool) (string, error) {
	if name := c.defaults[use]; name != "" {
		return name, nil
	}
	var fitting []string
	for _, name := range c.names {
		if opened, ok := c.opened[name]; ok && fits(opened) {
			fitting = append(fitting, name)
		}
	}
	switch len(fitting) {
	case 1:
		return fitting[0], nil
	case 0:
		return "", fmt.Errorf("%w for %s: add one under connections in scrip.yaml", ErrNoConnection, use)
	}
	return "", fmt.Errorf("%w for %s: several could be meant (%s); name one under defaults in scrip.yaml", ErrNoConnection, use, strings.Join(fitting, ", "))
}

func vendor[T any](c *Connections, name, lacks string) (T, error) {
	var none T
	opened, err := c.Get(name)
	if err != nil {
		return none, err
	}
	contract, ok := opened.Vendor.(T)
	if !ok {
		return none, fmt.Errorf("%w: %s (%s) %s", ErrNoConnection, name, opened.Kind, lacks)
	}
	return contract, nil
}

// Why a guard holds a message back.
const (
	HeldNotLive = "not_live" // nobody wrote live: true
	HeldOnlyTo  = "only_to"  // the address is not in only_to
)

// Guard says whether a message to address may leave through the connection: ""
// or the reason why not. A connection that isn't live writes to its only_to
// addresses alone, so that it can be tried on oneself.
func (c Connection) Guard(address string) (held string) {
	listed := slices.ContainsFunc(c.OnlyTo, func(allowed string) bool { return sameAddress(allowed, address) })
	switch {
	case listed:
		return ""
	case !c.Live && !c.Sandbox:
		return HeldNotLive
	case len(c.OnlyTo) > 0:
		return HeldOnlyTo
	}
	return ""
}

// sameAddress ignores case, names around an e-mail address, and blanks in a
// phone number.
func sameAddress(a, b string) bool { return plainAddress(a) == plainAddress(b) }

func plainAddress(address string) string {
	if parsed, err := mail.ParseAddress(address); err == nil {
		return strings.ToLower(parsed.Address)
	}
	return strings.NewReplacer(" ", "", "-", "", "(", "", ")", "").Replace(strings.ToLower(address))
}
