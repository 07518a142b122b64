package attack_test

import (
	"testing"

	"scrip.dev/scrip/prove/control"
)

const here = "./prove/attack"

func TestControl_WithoutTheCompareOfSignatures(t *testing.T) {
	control.Miss(t, control.Safeguard{Name: "the compare of Shopify's signatures", File: "integrations/shopify/webhook.go",
		Old: "if !hmac.Equal(mac.Sum(nil), given) {", New: "if !hmac.Equal(given, given) {",
		Package: here, Proof: "TestHooks_NoForgedSignatureIsTaken", Says: "shopify with a wrong signature was taken"})
}

func TestControl_WithoutTheCheckOfScopes(t *testing.T) {
	control.Miss(t, control.Safeguard{Name: "the check of scopes", File: "starter/auth.go",
		Old: "if err == nil && !key.May(scope) {", New: "if err == nil && scope == \"\" {",
		Package: here, Proof: "TestKeys_NoRouteDoesAnythingForAKeyThatMustNot", Says: " with the scope "})
}

func TestControl_WithoutTheLimitOfHooksBodies(t *testing.T) {
	control.Miss(t, control.Safeguard{Name: "the limit of hooks' bodies", File: "starter/hooks.go",
		Old: "http.MaxBytesReader(w, r.Body, limit)", New: "http.MaxBytesReader(w, r.Body, 2*limit)",
		Package: here, Proof: "TestBodies_LargerThanARouteTakesAreRefused", Says: "shopify took a body larger than it says"})
}

func TestControl_WithoutTheLimitOfGuesses(t *testing.T) {
	control.Miss(t, control.Safeguard{Name: "the limit of guesses", File: "starter/api_guesses.go",
		Old: "if g.left+by < 0 {", New: "if g.left+by < -1e9 {",
		Package: here, Proof: "TestGuesses_AreLimitedByAddressAndByKey", Says: "one address guessed on"})
}

func TestControl_WithoutTheOwnerOfAMessage(t *testing.T) {
	control.Miss(t, control.Safeguard{Name: "the connection to which a message belongs", File: "store/message_evidence.go",
		Old:     "WHERE connection = ANY ($2) AND `+column+` = $1",
		New:     "WHERE (connection = ANY ($2) OR '`+column+`' = 'id') AND `+column+` = $1",
		Package: here, Proof: "TestHooks_AConnectionSaysNothingAboutAnothersMessages", Says: "a connection moved another one's message"})
}

func TestControl_WithoutTheBoundOfImports(t *testing.T) {
	control.Miss(t, control.Safeguard{Name: "the bound of imports", File: "starter/api_upload.go",
		Old: "io.NopCloser(ctx.BodyReader()), maxImport)", New: "io.NopCloser(ctx.BodyReader()), 2*maxImport)",
		Package: here, Proof: "TestBodies_AnImportIsReadAsItComesAndUpToItsLimit", Says: "took a file larger than it says", Env: []string{"SCRIP_PROVE=full"}})
}

func TestControl_WithoutTheKeyOfABody(t *testing.T) {
	control.Miss(t, control.Safeguard{Name: "the body as a webhook's second key", File: "starter/hooks.go",
		Old: "if signer, ok := source.(KeySigner); !ok || !signer.SignsKey() {", New: "if signer, ok := source.(KeySigner); ok && !signer.SignsKey() {",
		Package: here, Proof: "TestHooks_AReplayIsTakenOnce", Says: "shopify was taken twice"})
}

func TestControl_WithoutTheQuestionWhoWasGivenACode(t *testing.T) {
	control.Miss(t, control.Safeguard{Name: "that a code nobody was given isn't found", File: "store/code_find.go",
		Old: "return among{givenCodes, `EXISTS (SELECT 1 FROM assignment", New: "return among{\"\", `EXISTS (SELECT 1 FROM assignment",
		Package: here, Proof: "TestGuesses_ACodeThatIsNotYoursIsLikeNone", Says: "of A5: other statements than for a code that doesn't exist"})
}

func TestControl_WithoutTheQuestionWhoseACodeIs(t *testing.T) {
	for proof, says := range map[string]string{
		"TestGuesses_ACodeThatIsNotYoursIsLikeNone": "validate of MINE2",
		"TestGuesses_AtCodesOfOthersCostAMiss":      "codes of others are tried out without a limit",
	} {
		control.Miss(t, control.Safeguard{Name: "that a code of somebody else's isn't found", File: "store/code_find.go",
			Old: "doc.Redeemable == \"holder\"", New: "doc.Redeemable == \"nobody\"",
			Package: here, Proof: proof, Says: says})
	}
}

func TestControl_WithoutTheRefusalOfWhatCantBeStored(t *testing.T) {
	control.Miss(t, control.Safeguard{Name: "that what the database can't read is the caller's mistake", File: "starter/problem.go",
		Old: "case store.IsDataError(err):", New: "case err == nil && store.IsDataError(err):",
		Package: here, Proof: "TestLists_NoParameterReachesTheDatabaseAsAnythingButAValue", Says: "\"500\" is not less than \"500\""})
}

func TestControl_WithoutTheFilterOfAState(t *testing.T) {
	control.Miss(t, control.Safeguard{Name: "a filter of a list with a cursor", File: "store/read_journeys.go",
		Old: "	w.is(`j.state = %s`, f.State)\n", New: "	if p.After == \"\" {\n		w.is(`j.state = %s`, f.State)\n	}\n",
		Package: here, Proof: "TestLists_NoCursorLeadsOutOfItsFilter", Says: "a row of another filter"})
}

func TestControl_WithoutTheTimeOfHeaders(t *testing.T) {
	for _, proof := range []string{"TestIdle_ThousandsOfConnectionsKeepNobodyOut", "TestBeside_TheServersOfWorkersAndOfTheCodecAreBounded"} {
		control.Miss(t, control.Safeguard{Name: "the time of headers", File: "starter/server.go",
			Old: "ReadHeaderTimeout: limits.Header,", New: "ReadHeaderTimeout: 0 * limits.Header,",
			Package: here, Proof: proof, Says: "the server still waits"})
	}
}

func TestControl_WithoutTheBoundOfConnections(t *testing.T) {
	control.Miss(t, control.Safeguard{Name: "the bound of connections", File: "starter/server_connections.go",
		Old: "if len(c.open) <= c.most {", New: "if len(c.open) <= 1000*c.most {",
		Package: here, Proof: "TestIdle_BeyondTheBoundTheLongestIdleMakesRoom", Says: "the server still waits"})
}

func TestControl_WithoutTheTimeOfBodies(t *testing.T) {
	control.Miss(t, control.Safeguard{Name: "the time of bodies", File: "starter/server_limits.go",
		Old: "_ = b.control.SetReadDeadline(time.Now().Add(b.limits.Body + earned - b.waited))", New: "_ = earned",
		Package: here, Proof: "TestSlow_HeadersAndBodiesAreNotWaitedForLong", Says: "the server still waits"})
}

func TestControl_WithoutTheTimeOfAnswers(t *testing.T) {
	control.Miss(t, control.Safeguard{Name: "the time of answers", File: "starter/server_limits.go",
		Old: "_ = a.control.SetWriteDeadline(time.Now().Add(a.timeout))", New: "",
		Package: here, Proof: "TestSlow_AnswersThatNobodyReadsAreNotWaitedForLong", Says: "the server still waits for somebody who doesn't read"})
}
