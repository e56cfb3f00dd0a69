// Fields that are filled by choice: letters fetch a list, arrows and Enter or a click choose from it, Esc closes it.
import Combobox from "./vendor/combobox-nav-3.0.2/combobox-nav.js"

for (const field of document.querySelectorAll("[data-choices]")) {
  const list = document.getElementById(field.dataset.choices)
  const said = document.getElementById(`${list.id}-said`)
  const combobox = new Combobox(field, list, { firstOptionSelectionMode: "active", tabInsertsSuggestions: false })
  const letters = () => list.querySelector("[data-letters]")?.dataset.letters // that the list was fetched for
  let wanted = false // the list is, until Esc or a choice
  let hurried = false // Enter was pressed before it came

  function close() {
    wanted = hurried = false
    said.textContent = ""
    if (list.hidden) return
    list.hidden = true
    combobox.stop()
  }

  function show() {
    const some = list.querySelector("[data-go]")
    said.textContent = list.querySelector("[data-said]").dataset.said
    if (some && list.hidden) {
      list.hidden = false
      combobox.start()
    } else if (some) combobox.resetSelection()
    else if (!list.hidden) {
      list.hidden = true
      combobox.stop()
    }
    if (hurried && letters() === field.value.trim()) some?.click()
  }

  function ask() {
    wanted = true
    field.dispatchEvent(new Event("choices"))
  }

  field.addEventListener("htmx:after:swap", () => { if (wanted) show() })
  field.addEventListener("input", () => { wanted = true })
  field.addEventListener("focus", () => {
    wanted = true
    field.select()
  })
  field.addEventListener("click", () => { if (!wanted) ask() })
  field.addEventListener("blur", () => {
    close()
    field.value = field.defaultValue // what is run is what is chosen, not what was typed
  })
  field.addEventListener("keydown", (event) => {
    if (event.isComposing) return
    if (event.key === "Escape") {
      if (!list.hidden) event.preventDefault() // which would empty the field as well
      close()
    }
    if (event.key === "ArrowDown" && !wanted) ask()
    if (event.key === "Enter" && letters() !== field.value.trim()) {
      event.preventDefault()
      event.stopImmediatePropagation()
      hurried = true
      if (!wanted) ask()
    }
  }, true)
  list.addEventListener("mousedown", (event) => event.preventDefault())
  list.addEventListener("combobox-commit", (event) => location.assign(event.target.dataset.go))
}

// What is to be chosen next has the focus, unless a person was faster. htmx looks at the page in a timer of its own, which
// comes before this one.
setTimeout(() => {
  if (document.activeElement === document.body) document.querySelector("[data-focus]")?.focus()
})
