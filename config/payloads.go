package config

import (
	"errors"
	"net"
	"net/url"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"scrip.dev/scrip/codec"
	"scrip.dev/scrip/integrations"
)

// readPayloadKeys reads `id: secret` pairs in the order in which they stand: the
// first encrypts.
func readPayloadKeys(r *reader, path string, value ast.Node) {
	r.each(path, value, func(id, full string, pair *ast.MappingValueNode) {
		var text string
		if r.decode(full, pair.Value, &text) {
			r.config.PayloadKeys = append(r.config.PayloadKeys, PayloadKey{id, integrations.Secret(text)})
		}
	})
}

// payloadKeys reads the keys of an environment variable or a secret's file:
// `id:secret`, with spaces, commas or line breaks between.
func payloadKeys(text string) ([]PayloadKey, error) {
	var keys []PayloadKey
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) }) {
		id, secret, ok := strings.Cut(word, ":")
		if !ok || !codec.ValidID(id) {
			// What was taken for an id may be a secret: it isn't repeated.
			return nil, errors.New("expected id:secret pairs with spaces between, such as 2026:BASE64; the first encrypts")
		}
		keys = append(keys, PayloadKey{id, integrations.Secret(secret)})
	}
	return keys, nil
}

// PayloadCodec makes the codec that all connections to Temporal share; it is off
// without payload_keys. All that is wrong with the keys comes back as Problems.
func (c *Config) PayloadCodec() (*codec.Codec, error) {
	var problems Problems
	keys := make([]codec.Key, 0, len(c.PayloadKeys))
	for _, configured := range c.PayloadKeys {
		key, err := codec.NewKey(configured.ID, configured.Secret.Reveal())
		if err != nil {
			at := "payload_keys." + configured.ID
			problems = append(problems, Problem{c.pos(at), at, err.Error()})
			continue
		}
		keys = append(keys, key)
	}
	return codec.New(keys...), problems.err()
}

// payloads checks what can be checked without the secrets.
func (v *validator) payloads() {
	seen := map[string]bool{}
	for _, key := range v.config.PayloadKeys {
		at := "payload_keys." + key.ID
		v.check(codec.ValidID(key.ID), at, "a key's id is up to 40 letters, digits, - and _, and begins with a letter or a digit")
		v.check(!seen[key.ID], at, "stands there twice; a new key needs a new id, because payloads name the one they were encrypted with")
		seen[key.ID] = true
	}
	listen := v.config.Codec.Listen
	v.address("codec.listen", listen)
	v.check(!v.config.Codec.Token.Empty() || ownMachineOnly(listen), "codec.token",
		"is missing; %s can be reached from other machines, and whoever reaches it can decrypt everything", listen)
	for _, origin := range v.config.Codec.Origins {
		parsed, err := url.Parse(origin)
		v.check(err == nil && (parsed.Scheme == "http" || parsed.Scheme == "https") && parsed.Scheme+"://"+parsed.Host == origin, "codec.origins",
			"%q is not an origin; write scheme, host and port with nothing after them, such as http://127.0.0.1:8233", origin)
	}
}

// ownMachineOnly says whether an address can be reached from this machine alone.
func ownMachineOnly(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return true // the address is a problem of its own
	}
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// About leaves those problems that concern a key, and a file that can't be read.
func (ps Problems) About(keys ...string) error {
	var about Problems
	for _, p := range ps {
		for _, key := range append(keys, "") {
			if p.Key == key || key != "" && strings.HasPrefix(p.Key, key+".") {
				about = append(about, p)
				break
			}
		}
	}
	return about.err()
}
