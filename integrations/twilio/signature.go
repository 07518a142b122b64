package twilio

import (
	"crypto/hmac"
	"crypto/sha1" // #nosec G505 -- Twilio's signature is defined with it
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"net/url"
	"slices"
	"strings"
)

const signatureHeader = "X-Twilio-Signature"

// signed says whether the signature is Twilio's for a call of the address with
// these parameters. A body that isn't a form is covered by its hash, which
// stands in the address.
//
// https://www.twilio.com/docs/usage/webhooks/webhooks-security
func signed(token, signature string, address *url.URL, params url.Values, body []byte) bool {
	given, err := base64.StdEncoding.Strict().DecodeString(signature)
	if err != nil || len(given) != sha1.Size {
		return false
	}
	if sum := address.Query().Get("bodySHA256"); sum != "" {
		want, err := hex.DecodeString(sum)
		got := sha256.Sum256(body)
		if err != nil || !hmac.Equal(want, got[:]) {
			return false
		}
		params = nil
	}
	right := false
	for _, candidate := range addresses(address) {
		// No early end, so that the time doesn't tell which address was signed.
		right = hmac.Equal(sign(token, candidate, params), given) || right
	}
	return right
}

// sign is the HMAC over the address and the sorted parameters; of a parameter's
// values each counts once.
func sign(token, address string, params url.Values) []byte {
	mac := hmac.New(sha1.New, []byte(token))
	mac.Write([]byte(address))
	for _, key := range slices.Sorted(maps.Keys(params)) {
		for _, value := range slices.Compact(slices.Sorted(slices.Values(params[key]))) {
			mac.Write([]byte(key))
			mac.Write([]byte(value))
		}
	}
	return mac.Sum(nil)
}

// addresses are the forms in which Twilio may have signed an address: as it is,
// without its port, and with the scheme's own port.
func addresses(address *url.URL) []string {
	port := ":443"
	if address.Scheme == "http" {
		port = ":80"
	}
	bare := *address
	if strings.HasSuffix(address.Host, ":"+address.Port()) {
		bare.Host = strings.TrimSuffix(address.Host, ":"+address.Port())
	}
	ported := bare
	ported.Host += port
	return []string{address.String(), bare.String(), ported.String()}
}
