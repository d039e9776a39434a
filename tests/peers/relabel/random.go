package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Characters that differ in folding, letter case or width, and those that patterns are often about.
var characters = strings.Split("a|b|c|A|B|K|k|\u212a|s|S|ſ|é|É|ß|ẞ|ς|σ|Σ|İ|ı|i|ǆ|ǅ|Ω|\u2126|\u0345|ι|世|😀|\u1c89|Ꟊ|0|1|9|٣|;|:|-|_|.|/| |\t|\n|\v|$|\u00a0|\u0000|\u007f|\ufffd|\ue000|\U0010ffff", "|")

func pick[T any](random *rand.Rand, from []T) T {
	return from[random.IntN(len(from))]
}

func randomCharacter(random *rand.Rand) string {
	if random.IntN(3) > 0 {
		return pick(random, []string{"a", "b", "a", "b", "c", "0", "1", ";", "-", "_"})
	}
	return pick(random, characters)
}

func randomText(random *rand.Rand, most int) string {
	var text strings.Builder
	for range random.IntN(most + 1) {
		text.WriteString(randomCharacter(random))
	}
	return text.String()
}

// mutated puts a piece of text in place of a part of another.
func mutated(random *rand.Rand, text, piece string) string {
	runes := []rune(text)
	from := random.IntN(len(runes) + 1)
	to := min(len(runes), from+random.IntN(3))
	return string(runes[:from]) + piece + string(runes[to:])
}

// The patterns of rules as they are generated and written in practice.
var usualPatterns = []string{
	`(.*)`, `(.+)`, `.*`, `.+`, `.+;.+`, `(.+);(.+)`, `(.*);(.*)`, `true`, `(a|b);true`, `(?i)true`, `Node;(.*)`,
	`$(SHARD);|.+;.+`, `([^:]+)(?::\d+)?;(\d+)`, `__meta_kubernetes_pod_label_(.+)`, `(a);(.+)`, `a|b|c`, `(a|ab)(c|bcd)?`,
	`(Failed|Succeeded)`, `https?`, `.*-metrics`, `a?b?`, `(.+?);(.+)`, `(.*?)-(.*)`, `(?:(.+);)?(.*)`, `(.*);?(a|aa)`,
	`a.*b`, `[^;]+;(.*)`, `(?P<x>.+)-(?P<y>.+)`, `()`, ``, `;`, `(.+)(.+)`, `[ab];(.+)`, `__meta_(a|b)_(.+)`, `;.+|a;`,
}

// Pieces that are patterns, or could be, or break what they are put into.
var pieces = strings.Split("a ~ b ~ k ~ s ~ \u212a ~ ſ ~ ß ~ é ~ σ ~ 世 ~ . ~ .* ~ .+ ~ .*? ~ ^ ~ $ ~ | ~ || ~ ( ~ ) ~ () ~ (?: ~ (?i) ~ (?i: ~ (?-i) ~ (?s) ~ (?-s) ~ (?m) ~ (?U) ~ (?U: ~ (?im-s: ~ (?-) ~ (?i-) ~ (?P<n> ~ (?<n> ~ (?<n ~ (?P<é> ~ (?P<> ~ (?P<01> ~ (?P=n) ~ (?= ~ (?! ~ (?<= ~ (?> ~ (?# ~ (? ~ * ~ + ~ ? ~ ?? ~ ** ~ *? ~ {2} ~ {2,} ~ {0} ~ {0,} ~ {1,3} ~ {3,1} ~ {,2} ~ {1001} ~ {1000} ~ {500} ~ {02} ~ {2,a} ~ { ~ } ~ {2}? ~ {2}{2} ~ [ab] ~ [^ab] ~ [a-c] ~ [c-a] ~ [a ~ ] ~ []a] ~ [^]a] ~ [a-] ~ [-a] ~ [a-b-c] ~ [\\d-z] ~ [a-\\d] ~ [[:alpha:]] ~ [[:^alpha:]_] ~ [[:foo:]] ~ [[:word:]] ~ [[:space:]] ~ [[:alpha:] ~ [\\]] ~ [\\x41-\\x{43}] ~ [k] ~ [^k] ~ [S] ~ [\\w] ~ [^\\W] ~ [\\pL] ~ [^\\PL] ~ [^\\x00-\\x{10FFFF}] ~ [\\x{d7ff}-\\x{e000}] ~ \\d ~ \\D ~ \\w ~ \\W ~ \\s ~ \\S ~ \\b ~ \\B ~ \\A ~ \\z ~ \\Z ~ \\C ~ \\G ~ \\Q ~ \\E ~ \\Qa*\\E ~ \\Qab\\E* ~ \\1 ~ \\8 ~ \\01 ~ \\141 ~ \\777 ~ \\x61 ~ \\x{61} ~ \\x{} ~ \\x{110000} ~ \\x{d800} ~ \\xg ~ \\x{1F600} ~ \\a ~ \\n ~ \\v ~ \\t ~ \\_ ~ \\- ~ \\é ~ \\e ~ \\pL ~ \\PL ~ \\pN ~ \\p{Greek} ~ \\p{greek} ~ \\P{Greek} ~ \\p{^Greek} ~ \\P{^Lu} ~ \\p{Lu} ~ \\p{lu} ~ \\p{Ll} ~ \\p{LC} ~ \\p{Any} ~ \\p{ASCII} ~ \\p{Assigned} ~ \\P{Assigned} ~ \\p{Letter} ~ \\p{Old_Italic} ~ \\p{Uppercase_Letter} ~ \\p{Cn} ~ \\p{Cs} ~ \\p{Nd} ~ \\p{Foo} ~ \\p{ ~ \\p{} ~ \\px ~ \\p ~ \\pé ~ \\ ~ ; ~ - ~ \n", " ~ ")

func randomPattern(random *rand.Rand) string {
	switch random.IntN(10) {
	case 0:
		return pick(random, usualPatterns)
	case 1:
		return mutated(random, pick(random, usualPatterns), pick(random, pieces))
	case 2, 3:
		var pattern strings.Builder
		for range random.IntN(8) {
			pattern.WriteString(pick(random, pieces))
		}
		return pattern.String()
	case 4:
		return mutated(random, expression(random, 3), pick(random, pieces))
	default:
		return expression(random, 1+random.IntN(4))
	}
}

// expression is a pattern that is well formed for the most part.
func expression(random *rand.Rand, depth int) string {
	if depth == 0 {
		return atom(random)
	}
	inner := func() string { return expression(random, depth-1) }
	switch random.IntN(10) {
	case 0, 1, 2:
		return inner() + inner()
	case 3:
		return inner() + "|" + inner()
	case 4, 5:
		return "(" + inner() + ")"
	case 6:
		open := pick(random, []string{"(?:", "(?i:", "(?U:", "(?s:", "(?-s:", "(?m:", "(?P<n>", "(?<x>", "(?i)(", "(?:|", "(|"})
		return open + inner() + ")"
	case 7:
		counts := []string{"*", "+", "?", "*?", "+?", "??", "{2}", "{0,2}", "{1,}", "{0}", "{2,3}?", "{0,1}", "{1}"}
		return "(?:" + inner() + ")" + pick(random, counts)
	case 8:
		return "(" + inner() + ")" + pick(random, []string{"*", "+", "?", "*?", "+?", "??", "{2}", "{0,2}"})
	default:
		return atom(random)
	}
}

func atom(random *rand.Rand) string {
	switch random.IntN(8) {
	case 0, 1, 2, 3:
		return pick(random, []string{"a", "b", "ab", "c", "0", ";", "-", "a;", "k", "s"})
	case 4:
		return pick(random, []string{".", ".*", ".+", ".*?", ".+?", "", "^", "$", `\b`, `\B`})
	case 5:
		return pick(random, []string{"[ab]", "[^a]", "[a-c0]", `\w`, `\d`, `\s`, `\pL`, `\p{Lu}`, "[[:alpha:]]", `\S`})
	default:
		return pick(random, pieces)
	}
}

func randomTemplate(random *rand.Rand) string {
	parts := []string{"$1", "$2", "${1}", "${2}", "$0", "$", "$$", "$a", "$n", "${n}", "${x}", "$x", "$1a", "${1}a", "$1_", "${", "${}", "${1", "$é", "${é}", "$٣", "$10", "$01", "$1\u0300", "$999999999", "$99999999999999999999", "${n-x}", "a", "_", "b-c", "é", "{", "}", " ", "0"}
	var template strings.Builder
	for range random.IntN(4) {
		template.WriteString(pick(random, parts))
	}
	if random.IntN(3) == 0 {
		fmt.Fprintf(&template, "$%d", random.IntN(4))
	}
	return template.String()
}
