// Builds the page from its data.

const report = JSON.parse(document.getElementById('report-data').textContent);

function runPage(run) {
  return [summarySection(run), curvesSection(run), speedSection(run), predictionsSection(run), filtersSection(run),
    historySection(run), detailsSection(run)];
}

function contents(sections) {
  return sections.filter((one) => one.querySelector('h2'))
    .map((one) => element('a', {href: `#${one.id}`}, one.querySelector('h2').textContent));
}

function footerText() {
  const version = report.runs.map((run) => run.versions && run.versions.convoy).find((one) => one);
  const written = new Date(1000 * report.written).toLocaleString('en-GB', {dateStyle: 'long', timeStyle: 'medium'});
  return `Written on ${written}${version ? ` · Convoy ${version}` : ''}${report.reload ? ` · loads itself anew every ${report.reload} s` : ''}`;
}

themeSwitch(document.getElementById('theme'));
axis.mode = place.get('axis', 'step');
const sections = present(report.runs.length === 1 ? runPage(report.runs[0]) : comparisonPage(report.runs));
document.getElementById('page').append(...sections);
document.getElementById('contents').append(...contents(sections));
document.getElementById('footer').append(footerText());
show(place.get('shown', null));
if (report.reload) reloadEvery(report.reload);

// On paper everything is open.
window.addEventListener('beforeprint', () => {
  for (const one of document.querySelectorAll('details')) one.open = true;
});
