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
  }
})

function fillIn(preset, field) {
  for (const one of document.querySelectorAll("#presets data")) {
    const target = document.getElementById(one.dataset.target)
    if (one.dataset.of === preset && one.dataset.choice === field.value && target) target.value = one.value
  }
}

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submit]")) event.target.form.requestSubmit()
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
  if (event.target.closest("#connection")) document.getElementById("tested").textContent = "Not tested as it stands."
})

document.addEventListener("click", (event) => {
  const tab = event.target.closest("[role=tab]")
  if (tab) select(tab)
  const example = event.target.closest("[data-example]")
  if (example) document.getElementById(example.dataset.example).value = example.value
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
    const search = document.querySelector("input[type=search], #connection")
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
