// What the page does beside htmx: presets, tabs, copying, keys. No markup is made of data here.
document.addEventListener("DOMContentLoaded", () => {
  const link = location.hash.slice(1)
  const byLink = document.getElementById("by-link")
  if (byLink && link) {
    byLink.hidden = false
    document.getElementById("by-token").hidden = true
    byLink.elements.link.value = link
    history.replaceState(null, "", "/sign-in")
  }
  for (const preset of new Set([...document.querySelectorAll("#presets data")].map((one) => one.dataset.of))) {
    const field = document.getElementById(preset)
    field?.addEventListener("change", () => fillIn(preset, field))
    if (field && document.querySelector("#connection input[name=plugin]")) fillIn(preset, field, true)
  }
})

function fillIn(preset, field, emptyOnly = false) {
  for (const one of document.querySelectorAll("#presets data")) {
    const target = document.getElementById(one.dataset.target)
    if (one.dataset.of === preset && one.dataset.choice === field.value && target && !(emptyOnly && target.value)) target.value = one.value
  }
}

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submit]")) event.target.form.requestSubmit()
  if (event.target.matches("[data-goto]") && event.target.value.startsWith("?")) location.search = event.target.value
})

document.addEventListener("submit", (event) => {
  const question = event.target.dataset.ask
  if (question && !confirm(question)) {
    event.preventDefault()
    event.stopImmediatePropagation()
  }
}, true)

// What is under way says so: the old verdict does not stand beside new values, and nothing runs twice.
document.addEventListener("htmx:before:request", (event) => {
  const from = event.target
  const target = document.querySelector(from.getAttribute?.("hx-target") || "none")
  if (target && (from.id === "run" || from.dataset.testing)) target.textContent = from.id === "run" ? "Running …" : "Testing …"
  const button = from.id === "run" ? from.querySelector("[data-once]") : from.dataset?.testing ? from : null
  if (button) button.disabled = true
})
document.addEventListener("htmx:after:request", () => {
  for (const button of document.querySelectorAll("button:disabled")) button.disabled = false
})
document.addEventListener("input", (event) => {
  const tested = document.getElementById("tested")
  if (tested && event.target.closest("#connection")) tested.textContent = "Not tested as it stands."
})

document.addEventListener("click", (event) => {
  const tab = event.target.closest("[role=tab]")
  if (tab) select(tab)
  const example = event.target.closest("[data-example]")
  if (example) document.getElementById(example.dataset.example).value = example.value
  const choose = event.target.closest("[data-choose]")
  if (choose) chosen(document.getElementById(choose.dataset.choose), choose.value)
  const path = event.target.closest("[data-path]")
  if (path) taken(path)
  const drop = event.target.closest("[data-drop]")
  if (drop) {
    const form = drop.form
    const row = drop.closest("tr")
    if (row.parentElement.rows.length > 1) row.remove()
    else for (const field of row.querySelectorAll("input")) field.value = ""
    form.dispatchEvent(new Event("change", { bubbles: true }))
  }
  const more = event.target.closest("[data-more]")
  if (more) {
    const rows = document.getElementById(more.dataset.more)
    const row = rows.rows[rows.rows.length - 1].cloneNode(true)
    for (const field of row.querySelectorAll("input, select")) field.value = field.tagName === "SELECT" ? field.options[0].value : ""
    rows.append(row)
    row.querySelector("input").focus()
  }
  const copy = event.target.closest("[data-copy]")
  if (copy) {
    navigator.clipboard.writeText(document.getElementById(copy.dataset.copy).textContent)
    copy.textContent = "Copied"
  }
})

function select(tab) {
  for (const one of tab.parentElement.querySelectorAll("[role=tab]")) {
    const chosen = one === tab
    one.setAttribute("aria-selected", chosen)
    one.tabIndex = chosen ? 0 : -1
    document.getElementById(one.getAttribute("aria-controls")).hidden = !chosen
  }
}

new MutationObserver(() => {
  const chosen = document.querySelector('[role=tab][aria-selected=true]:not([data-shown])')
  if (chosen) {
    chosen.dataset.shown = "yes"
    select(chosen)
    document.getElementById("result")?.focus()
  }
}).observe(document.documentElement, { childList: true, subtree: true })

document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input, textarea, select")
  if (event.key === "/" && !typing) {
    const search = document.querySelector("[data-slash]") ?? document.querySelector("input[type=search]")
    if (search) {
      event.preventDefault()
      search.focus()
    }
  }
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) document.getElementById("run")?.requestSubmit()
  const tab = event.target.closest?.("[role=tab]")
  if (tab && (event.key === "ArrowRight" || event.key === "ArrowLeft")) {
    const all = [...tab.parentElement.querySelectorAll("[role=tab]")]
    const next = all[(all.indexOf(tab) + (event.key === "ArrowRight" ? 1 : all.length - 1)) % all.length]
    select(next)
    next.focus()
  }
})

// An option that was fetched goes into its field: into a list as one more line.
function chosen(field, value) {
  if (field.tagName === "TEXTAREA" && field.value.trim()) field.value = `${field.value.trimEnd()}\n${value}`
  else field.value = value
  field.dispatchEvent(new Event("change", { bubbles: true }))
}

// A path goes into the row of a field mapping that was edited last; where there is none it is copied.
let lastSource = null
document.addEventListener("focusin", (event) => {
  if (event.target.matches("[data-source]")) lastSource = event.target
})
function taken(button) {
  if (!button.closest("[data-sample]")) {
    navigator.clipboard.writeText(button.dataset.path)
    const tried = document.getElementById("tried")
    if (tried) tried.value = button.dataset.path
    return
  }
  const field = lastSource?.isConnected ? lastSource : [...document.querySelectorAll("[data-source]")].find((one) => !one.value)
  if (!field) return
  field.value = button.dataset.path.replace("$", "")
  field.dispatchEvent(new Event("change", { bubbles: true }))
  field.focus()
}

// Fields that hang on others are there while those have the values; what is hidden is not sent.
function reveal() {
  for (const field of document.querySelectorAll("[data-visible-if]")) {
    const wanted = Object.entries(JSON.parse(field.dataset.visibleIf))
    const shown = wanted.every(([name, values]) => {
      const other = document.getElementById(field.dataset.prefix + name)
      return !other || [values].flat().map(String).includes(other.value)
    })
    field.hidden = !shown
    for (const input of field.querySelectorAll("input, select, textarea")) input.disabled = !shown
  }
}
document.addEventListener("DOMContentLoaded", reveal)
document.addEventListener("change", (event) => {
  reveal()
  for (const reading of document.querySelectorAll("[data-utc]")) {
    if (reading.dataset.utc === event.target.id) {
      fetch(`/times?text=${encodeURIComponent(event.target.value)}`).then((answer) => answer.text()).then((text) => { reading.textContent = text.trim() })
    }
  }
})
