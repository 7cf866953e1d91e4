/**
 * Return the locale in which to format dates and times within texts of a language. Words are in the language
 * of the texts; the rest follows the browser's locale, as far as the browser has formats for that language in
 * that region.
 *
 * @param {string} language the language of the texts, such as "en" or "de-AT"
 */
export function formatLocale(language) {
  const tag = navigator.languages[0] ?? language;
  const texts = new Intl.Locale(language);
  const { language: own, region } = new Intl.Locale(tag).maximize();
  const { hourCycle } = new Intl.DateTimeFormat(tag, { hour: "numeric" }).resolvedOptions();
  return own === texts.language ? tag : `${new Intl.Locale(texts.language, { region, hourCycle })}`;
}
