package attack_test

import (
	"testing"

	"scrip.dev/scrip/prove/control"
)

const here = "./prove/attack"

func TestControl_WithoutTheCompareOfSignatures(t *testing.T) {
	control.Miss(t, control.Safeguard{Name: "the compare of Shopify's signatures", File: "integrations/shopify/webhook.go",
		Old: "if !hmac.Equal(mac.Sum(nil), given) {", New: "if !hmac.Equal(given, given) {",
		Package: here, Proof: "TestHooks_NoForgedSignatureIsTaken", Says: "shopify"})
}

func TestControl_WithoutTheCheckOfScopes(t *testing.T) {
	control.Miss(t, control.Safeguard{Name: "the check of scopes", File: "starter/auth.go",
		Old: "if err == nil && !key.May(scope) {", New: "if err == nil && scope == \"\" {",
		Package: here, Proof: "TestKeys_NoRouteDoesAnythingForAKeyThatMustNot", Says: "with the scope"})
}

func TestControl_WithoutTheLimitOfHooksBodies(t *testing.T) {
	control.Miss(t, control.Safeguard{Name: "the limit of hooks' bodies", File: "starter/hooks.go",
		Old: "http.MaxBytesReader(w, r.Body, limit)", New: "http.MaxBytesReader(w, r.Body, 2*limit)",
		Package: here, Proof: "TestBodies_LargerThanARouteTakesAreRefused", Says: "shopify"})
}

func TestControl_WithoutTheLimitOfGuesses(t *testing.T) {
	control.Miss(t, control.Safeguard{Name: "the limit of guesses", File: "starter/api_guesses.go",
		Old: "if g.left+by < 0 {", New: "if g.left+by < -1e9 {",
		Package: here, Proof: "TestGuesses_AreLimitedByAddressAndByKey", Says: "one address guessed on"})
}

func TestControl_WithoutTheOwnerOfAMessage(t *testing.T) {
	control.Miss(t, control.Safeguard{Name: "the connection to which a message belongs", File: "store/message_evidence.go",
		Old: "WHERE connection = $2 AND (($1 <> '' AND id = $1) OR ($1 = '' AND vendor_id = $3))",
		New: "WHERE ($1 <> '' AND id = $1) OR ($1 = '' AND connection = $2 AND vendor_id = $3)",
		Package: here, Proof: "TestHooks_AConnectionSaysNothingAboutAnothersMessages", Says: "a connection moved another one's message"})
}
